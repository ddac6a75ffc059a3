"""`mtl ls`: the groups, or the options of one with a line each."""

import pytest

from mtl_cli.config.registry import FAMILIES


def listing(result):
    assert result.code == 0, result.err
    return dict(line.split(maxsplit=1) if " " in line else (line, "") for line in result.out.splitlines())


def test_without_a_group_all_groups_are_listed_with_their_options(mtl):
    found = listing(mtl("ls"))
    assert found.keys() >= {
        "task",
        "backbone",
        "sampler",
        "weighting",
        "sharing",
        "schedule",
        "method",
        "kind",
        "metric",
    }
    assert found["schedule"] == "constant, cosine, inverse_sqrt, linear, polynomial"


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_member_of_a_family_is_listed(mtl, family):
    known = listing(mtl("ls", family))
    if family == "backbone":  # several YAML files for one builder
        assert {"tiny", "minilm", "hf"} <= known.keys()
    elif family == "launcher":  # likewise
        assert known.keys() == {"inprocess", "joblib", "ray", "submitit_local", "submitit_slurm"}
    elif family == "method":  # engines with known models too
        assert known.keys() - FAMILIES[family].keys() == {
            "e5",
            "bge",
            "gte",
            "nli_bart",
            "nli_deberta",
            "nli_modernbert",
            "qwen",
        }
        assert FAMILIES[family].keys() <= known.keys()
    else:
        assert known.keys() == FAMILIES[family].keys()


@pytest.mark.parametrize("group", ["task", "backbone", "sampler", "weighting", "schedule", "kind", "metric"])
def test_every_option_has_a_line_about_it(mtl, group):
    assert all(about for about in listing(mtl("ls", group)).values())


def test_the_line_is_the_one_behind_the_command_in_the_yaml(mtl):
    assert listing(mtl("ls", "task"))["rte"] == "Does the first sentence entail the second? (GLUE)"


def test_a_folder_of_ones_own_adds_options_and_groups(mtl, tmp_path, monkeypatch):
    (tmp_path / "my/task").mkdir(parents=True)
    (tmp_path / "my/task/mine.yaml").write_text("# @package _global_\n# mtl train task=mine    Mine alone\ntasks: {}\n")
    (tmp_path / "my/flavour").mkdir()
    (tmp_path / "my/flavour/sour.yaml").write_text("a: 1\n")
    assert listing(mtl("ls", "task", "--config-dir", "my"))["mine"] == "Mine alone"
    assert listing(mtl("ls", "flavour", "--config-dir", "my")) == {"sour": ""}
    assert "mine" not in listing(mtl("ls", "task"))
    monkeypatch.setenv("MTL_CONFIGS", str(tmp_path / "my"))
    assert "mine" in listing(mtl("ls", "task"))


def test_an_unknown_group_gets_a_suggestion(mtl):
    result = mtl("ls", "tasks")
    assert (result.code, result.out) == (2, "")
    assert "there is no group 'tasks'. Did you mean 'task'?" in result.err


def test_a_group_like_no_other_gets_the_list(mtl):
    assert (
        "Available: backbone, input, kind, launcher, method, metric, objective, prior, sampler" in mtl("ls", "zzz").err
    )
