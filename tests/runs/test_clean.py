"""What killed processes leave goes; what users keep, what is in use and what lies behind a link stays."""

import os
from contextlib import closing

import pytest

from mtl_cli.errors import ConfigError
from mtl_cli.runs.clean import clean, clean_cache
from mtl_cli.runs.folder import RunFolder, begin

LEFT = (
    ".env.json.0a1b2c3d", "predictions/.a.validation.jsonl.0a1b2c3d", "checkpoints/.last.77", "checkpoints/.step_000002.77",
    "checkpoints/.step_000001.removed", "evals/.test.0a1b2c3d", "evals/half", "affinity/x/.affinity.json.0a1b2c3d",
    "checkpoints/step_000003/.manifest.json.0a1b2c3d", "checkpoints/step_000003/training.safetensors",
)  # fmt: skip
KEPT = (
    ".lock", "config.yaml", "env.json", "summary.json", "predictions/a.validation.jsonl", "checkpoints/step_000003/state.json",
    "evals/whole/summary.json", "notes.txt", ".env.json.mine", "evals/mine/notes.txt", "checkpoints/.notes",
)  # fmt: skip


@pytest.fixture
def run(tmp_path):
    """A finished run with all that kills may leave, and with a user's own files."""
    path = tmp_path / "outputs/run"
    path.mkdir(parents=True)
    begin(path, {"seed": 1, "checkpoint": {"keep_optimizer": False}}, [])
    for name in (*LEFT, *KEPT):
        file = path / name
        if file.suffix in (".77", ".removed") or name.startswith("evals/.") or name == "evals/half":
            (file / "predictions").mkdir(parents=True)
        elif not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("{}" if file.suffix == ".json" else "")
    (path / "checkpoints/step_000003/manifest.json").write_text('{"training.safetensors": {"bytes": 0, "sha256": ""}}')
    return path


def below(path):
    return {str(p.relative_to(path)) for p in path.rglob("*")}


def test_leftovers_go_and_are_listed(run, tmp_path):
    before = below(run)
    listed = clean(tmp_path / "outputs", True, print)
    assert below(run) == before
    assert {str(p.relative_to(run)) for p in listed} == set(LEFT)
    assert clean(tmp_path / "outputs", False, print) == listed
    assert not below(run) & set(LEFT)
    assert set(KEPT) <= below(run)
    assert clean(tmp_path / "outputs", False, print) == []


def test_a_run_in_use_is_left_alone_and_named(run, tmp_path):
    before, told = below(run), []
    with closing(RunFolder(run)):
        assert clean(run, False, told.append) == clean(run, True, told.append) == []
    assert below(run) == before
    assert f"left alone: {run} is in use by process {os.getpid()}" in told[0]


@pytest.mark.parametrize("name", ["predictions", "checkpoints", "evals", "affinity"])
def test_nothing_behind_a_link_goes(run, tmp_path, name):
    (run / name).rename(tmp_path / "moved")
    (run / name).symlink_to(tmp_path / "moved")
    before = below(tmp_path / "moved")
    clean(tmp_path / "outputs", False, print)
    assert below(tmp_path / "moved") == before


def test_a_folder_of_runs_behind_a_link_is_not_entered(run, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/up").symlink_to(run.parent)
    assert clean(tmp_path / "other", False, print) == []


def test_the_optimiser_s_state_stays_where_it_is_to_be_kept_or_the_run_is_not_finished(run):
    begin(run, {"checkpoint": {"keep_optimizer": True}}, [])
    clean(run, False, print)
    begin(run, {"checkpoint": {"keep_optimizer": False}}, [])
    (run / "summary.json").unlink()
    clean(run, False, print)
    assert (run / "checkpoints/step_000003/training.safetensors").exists()


def test_a_run_that_did_not_begin_goes_and_a_folder_without_mtl_s_lock_stays(tmp_path):
    for name in ("begun", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "env.json").write_text("{}")
    (tmp_path / "begun/.lock").write_text("process 77")
    assert clean(tmp_path, False, print) == [tmp_path / "begun"]
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_half_made_encoded_rows_go(tmp_path):
    (tmp_path / "encoded/.0123.77.0a1b2c").mkdir(parents=True)
    (tmp_path / "encoded/0123").mkdir()
    assert clean_cache(tmp_path, True) == clean_cache(tmp_path, False) == [tmp_path / "encoded/.0123.77.0a1b2c"]
    assert [p.name for p in (tmp_path / "encoded").iterdir()] == ["0123"]
    assert clean_cache(tmp_path / "none", False) == []


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no folder .*none"):
        clean(tmp_path / "none", False, print)
