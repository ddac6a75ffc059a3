"""Every YAML file under configs/ holds what its first comment says it does."""

import functools

import pytest

from mtl_cli.cli.completion import primary_of
from mtl_cli.config.compose import compose
from mtl_cli.config.convert import Node, bind, convert_or_raise
from mtl_cli.config.paths import config_dir
from mtl_cli.config.schema import EvalConfig, TrainConfig
from mtl_cli.config.schema_affinity import AffinityConfig, AffinityRunConfig
from mtl_cli.config.schema_check import CheckConfig
from mtl_cli.config.schema_transfer import TransferConfig
from mtl_cli.config.schema_zeroshot import DoctorConfig, ZeroshotConfig
from mtl_cli.config.sweep import points

FILES = sorted(config_dir().rglob("*.yaml"))
IN_GROUPS = [path for path in FILES if path.parent != config_dir()]
CONFIGS = {
    "train": TrainConfig,
    "check": CheckConfig,
    "affinity": AffinityConfig,
    "affinity_run": AffinityRunConfig,
    "doctor": DoctorConfig,
    "eval": EvalConfig,
    "transfer": TransferConfig,
    "zeroshot": ZeroshotConfig,
}

files = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(config_dir()).as_posix())
in_groups = pytest.mark.parametrize("path", IN_GROUPS, ids=lambda path: path.relative_to(config_dir()).as_posix())


def comment(path):
    """The first line, or the second after `# @package`."""
    first, second = path.read_text(encoding="utf-8").split("\n")[:2]
    return second if first.startswith("# @package") else first


def command(path):
    """Primary config and overrides of the comment: they end where four spaces begin the description; of a sweep, its first point."""
    words = comment(path).removeprefix("# mtl ").split("    ")[0].split(" ")
    overrides = points([word for word in words[1:] if "=" in word and not word.startswith("-")])[0]
    return primary_of(words[0], overrides), overrides


@functools.cache
def config(path):
    """What the comment's command asks for."""
    primary, overrides = command(path)
    return convert_or_raise(CONFIGS[primary], compose(primary, overrides).values)


def faults_of_tasks(tasks):
    faults = []
    for name, task in tasks.items():
        bind("kind", task.kind, faults, f"tasks.{name}.kind")
        for metric in task.metrics:
            bind("metric", Node(metric, {}), faults, f"tasks.{name}.metrics")
    return faults


@files
def test_the_first_comment_is_a_command_to_copy(path):
    assert comment(path).startswith("# mtl ")
    assert command(path)[0] in CONFIGS


@in_groups
def test_the_command_of_a_group_s_file_chooses_that_file(path):
    assert f"{path.parent.name}={path.stem}" in command(path)[1]


@in_groups
def test_a_group_s_file_is_described_behind_its_command(path):
    assert comment(path).count("    ") == 1
    assert comment(path).split("    ")[1].strip()


@files
def test_the_command_composes_and_converts(path):
    assert isinstance(config(path), CONFIGS[command(path)[0]])


@in_groups
def test_what_the_command_asks_for_is_bound_to_its_builders(path):
    asked, faults = config(path), []
    if path.parent.name == "task":
        faults = faults_of_tasks(asked.tasks)
    else:
        assert bind(path.parent.name, getattr(asked, path.parent.name), faults, path.parent.name)
    assert faults == []


@pytest.mark.parametrize("path", sorted(config_dir().glob("task/*.yaml")), ids=lambda path: path.stem)
def test_a_task_s_file_brings_tasks_with_equal_weights(path):
    asked = config(path)
    assert asked.weights == dict.fromkeys(asked.tasks, 1.0)
    assert path.stem in asked.tasks or len(asked.tasks) > 1


def test_the_nine_tasks_of_glue_are_all_there():
    assert sorted(config(config_dir() / "task" / "glue.yaml").tasks) == [
        "cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb", "wnli",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["hf", "explicit", "groups"])
def test_what_only_the_user_can_know_is_asked_for(name):
    (path,) = config_dir().glob(f"*/{name}.yaml")
    assert "???" in path.read_text()
    assert any(word.startswith(f"{path.parent.name}.") for word in command(path)[1])


@pytest.mark.parametrize("path", sorted(config_dir().glob("task/match_*.yaml")), ids=lambda path: path.stem)
def test_label_matching_has_the_labels_of_its_data_set_in_their_order(path):
    name = path.stem.removeprefix("match_")
    (plain,) = config(path.with_name(f"{name}.yaml")).tasks.values()
    (task,) = config(path).tasks.values()
    assert list(task.matching.phrases()) == plain.kind.options["labels"]
    assert (task.label, task.text[0]) == (plain.label, plain.text[0])
    assert (task.source.folder, task.source.hub, task.source.subset) == (name, plain.source.hub, plain.source.subset)
    assert task.source.hub_splits == plain.source.hub_splits
