import pytest

from mtl_cli.config.compose import compose
from mtl_cli.config.listing import Option, groups, listed
from mtl_cli.config.registry import FAMILIES, resolve
from mtl_cli.errors import ConfigError

TASK = "# @package _global_\n# mtl train task=rte    {about}\nseed: {seed}\n"


def user_task(folder, name, text):
    (folder / "task").mkdir(parents=True, exist_ok=True)
    (folder / "task" / f"{name}.yaml").write_text(text)
    return folder


def test_groups_with_files_come_first_and_families_inside_tasks_after():
    assert groups([]) == [
        "backbone", "launcher", "method", "prior", "sampler", "schedule", "sharing", "task", "verbalizer", "weighting",
        "input", "kind", "metric", "objective",
    ]  # fmt: skip


def test_an_option_is_described_by_what_stands_behind_its_command():
    assert Option("hard", "One encoder, one head a task") in listed("sharing", [])
    assert Option("cola", "Is the sentence acceptable English? (GLUE)") in listed("task", [])


def test_options_are_listed_by_name():
    names = [option.name for option in listed("schedule", [])]
    assert names == ["constant", "cosine", "inverse_sqrt", "linear", "polynomial"]


@pytest.mark.parametrize("family", ["input", "kind", "metric", "objective"])
def test_families_without_files_are_described_by_their_docstrings(family):
    assert {option.name: option.about for option in listed(family, [])} == {
        name: resolve(family, name).__doc__.split("\n")[0] for name in FAMILIES[family]
    }


def test_a_user_s_options_and_groups_are_listed_with_ours(tmp_path):
    user_task(tmp_path, "mine", TASK.format(about="Reviews of mine", seed=3))
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "fast.yaml").write_text("steps: 3\n")
    assert {"recipe", "task"} <= set(groups([tmp_path]))
    found = {option.name: option.about for option in listed("task", [tmp_path])}
    assert (found["mine"], "rte" in found) == ("Reviews of mine", True)


def test_folders_without_yaml_and_hidden_ones_are_no_groups(tmp_path):
    for name in (".github", "data", "__pycache__"):
        (tmp_path / name).mkdir()
    (tmp_path / ".github" / "dependabot.yaml").write_text("version: 2\n")
    assert groups([tmp_path]) == groups([])


@pytest.mark.parametrize(
    ("text", "about"),
    [("tasks: {}\n", ""), ("", ""), ("# my own task\ntasks: {}\n", "my own task"), ("\n# late\n", "")],
)
def test_a_file_without_a_command_is_described_by_its_first_comment(tmp_path, text, about):
    found = listed("task", [user_task(tmp_path, "mine", text)])
    assert Option("mine", about) in found


def test_of_two_files_with_one_name_that_one_is_described_that_is_composed(tmp_path):
    first = user_task(tmp_path / "1", "mine", TASK.format(about="first", seed=11))
    second = user_task(tmp_path / "2", "mine", TASK.format(about="second", seed=22))
    found = {option.name: option.about for option in listed("task", [first, second])}
    first_wins = compose("eval", ["run=x", "task=mine", "~seed"], [first, second]).values
    assert (found["mine"], first_wins.get("seed")) == ("first", None)


def test_a_file_of_the_name_of_a_shipped_one_is_refused(tmp_path):
    folder = user_task(tmp_path, "rte", TASK.format(about="not ours", seed=33))
    with pytest.raises(ConfigError, match=r"rte\.yaml has the name of a shipped file, which would be taken instead"):
        compose("train", ["task=rte"], [folder])
