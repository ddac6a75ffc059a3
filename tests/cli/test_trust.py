"""Runs of strangers: nothing that their configs name runs, or is read, unless it is trusted."""

import shutil

import pytest
import yaml

TARGET = {"_target_": "own_code_of_a_stranger.run"}
CODE = """
from pathlib import Path
Path("ran").write_text("yes")
def run(*args, **options):
    raise SystemExit(3)
"""


@pytest.fixture
def stranger(mtl, trained, tmp_path, monkeypatch):
    """A copy of a run whose config names an object; importing its module leaves a file."""
    (tmp_path / "own_code_of_a_stranger.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    run = shutil.copytree(trained, tmp_path / "outputs/stranger", symlinks=True)
    values = yaml.safe_load((run / "config.yaml").read_text())

    def make(change):
        change(values)
        (run / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
        return run

    return make


def weighting(values):
    values["weighting"] = TARGET


def kind(values):
    task = next(iter(values["tasks"].values()))
    task["kind"] = {"name": "own_code_of_a_stranger.run"}


def metric(values):
    next(iter(values["tasks"].values()))["metrics"] = ["own_code_of_a_stranger.run"]


def sampler(values):
    values["sampler"] = "own_code_of_a_stranger.run"


@pytest.mark.parametrize("change", [weighting, kind, metric, sampler])
@pytest.mark.parametrize(
    "words",
    [
        ("eval", "run=outputs/stranger", "bootstrap=0"),
        ("zeroshot", "run=outputs/stranger", "--labels", "a,b", "--text", "x"),
        ("doctor", "run=outputs/stranger", "--labels", "a,b"),
        ("affinity", "run=outputs/stranger"),
        ("runs", "compare", "outputs/stranger"),
    ],
)
def test_code_of_a_run_is_refused_with_its_key_and_nothing_of_it_is_imported(mtl, stranger, tmp_path, words, change):
    stranger(change)
    result = mtl(*words)
    assert (result.code, result.out) == (2, "")
    assert "names the Python object 'own_code_of_a_stranger.run', which would run code" in result.err
    assert "add --trust" in result.err
    assert not (tmp_path / "ran").exists()


def test_a_trusted_run_may_run_its_code(mtl, stranger, tmp_path):
    stranger(kind)
    mtl("eval", "run=outputs/stranger", "bootstrap=0", "--trust")
    assert (tmp_path / "ran").exists()


def test_a_run_is_resumed_only_with_the_code_that_this_command_names(mtl, stranger, tmp_path):
    stranger(weighting)
    result = mtl("train", "task=rte", "backbone=tiny", "run.name=stranger", "run.if_exists=resume")
    assert result.code == 2
    assert "weighting._target_: the run has 'own_code_of_a_stranger.run', asked is None" in result.err
    assert not (tmp_path / "ran").exists()


def test_trust_without_a_run_is_refused(mtl):
    assert "--trust is for a run folder: give run=FOLDER" in mtl("affinity", "--trust").err


def test_a_run_is_no_baseline_of_its_own(mtl, trained):
    result = mtl("runs", "compare", str(trained), "--baseline", str(trained))
    assert result.code == 2
    assert "is both a run and a baseline, so its delta would be 0" in result.err


def test_nothing_that_is_written_holds_a_value_of_the_environment(mtl, monkeypatch, tmp_path):
    monkeypatch.setenv("MTL_TEST_PLACE", "very-secret-value")
    result = mtl(
        "train", "task=rte", "backbone=tiny", "data.source=bundled", "data.root=${oc.env:MTL_TEST_PLACE}", "train.steps=1",
        "batch.size=2", "eval.bootstrap=0", "data.limit=8", "eval.limit=4", "run.name=a",
    )  # fmt: skip
    assert result.code == 0, result.err
    files = [path for path in (tmp_path / "outputs").rglob("*") if path.is_file() and path.suffix != ".safetensors"]
    assert not [path for path in files if b"very-secret" in path.read_bytes()]
    assert "very-secret" not in result.err + result.out
    config = yaml.safe_load((result.run / "config.yaml").read_text())
    assert config["data"]["root"] == "${oc.env:MTL_TEST_PLACE}"
    assert "data.root: the config of outputs/a reads your environment" in mtl("eval", "run=outputs/a").err
    assert mtl("eval", "run=outputs/a", "--trust", "bootstrap=0").code == 0
    again = mtl("train", "--cfg", "data.root=${oc.env:MTL_TEST_PLACE}")
    assert "very-secret" not in again.out


def test_a_key_on_the_command_line_is_in_no_message(mtl):
    key = "sk-abcdefghijklmnopqrstuvwx"
    for words in (["method=api", f"method.key_env={key}"], [f"method.kez_env={key}"], [f"{key} x"]):
        result = mtl("zeroshot", "--labels", "a,b", "--text", "x", *words)
        assert result.code == 2
        assert key not in result.err
