"""A run folder that is moved, removed or replaced while the run writes: nothing else is lost, and it is told."""

import shutil

import pytest

from mtl_cli.runs.record import MetricsLog
from tests.conftest import TINY

WORDS = (*TINY, "task=rte", "train.steps=4", "eval.every=2", "train.log_every=1", "run.name=x")


@pytest.fixture
def at_record(monkeypatch):
    """Do something when the n-th line is about to be written to a log."""

    def patch(number, action):
        write, lines = MetricsLog.write, []

        def counted(self, record):
            lines.append(record)
            if len(lines) == number:
                action()
            write(self, record)

        monkeypatch.setattr(MetricsLog, "write", counted)

    return patch


def test_a_run_whose_folder_is_moved_says_so_and_loses_nothing(mtl, tmp_path, at_record):
    run = tmp_path / "outputs/x"
    at_record(4, lambda: run.rename(tmp_path / "moved"))
    result = mtl("train", *WORDS)
    assert result.code == 1
    assert result.out == ""
    assert "outputs/x has gone: it was removed or moved while it was written to" in result.err
    assert not run.exists()
    assert (tmp_path / "moved/checkpoints/step_000002/manifest.json").is_file()
    (tmp_path / "moved").rename(run)
    assert mtl("train", *WORDS, "run.if_exists=resume").code == 0


def test_a_run_that_took_the_place_of_another_is_left_alone(mtl, tmp_path, at_record):
    run = tmp_path / "outputs/x"

    def replace():
        run.rename(tmp_path / "moved")
        run.mkdir()
        (run / "config.yaml").write_text("seed: 1\n")

    at_record(4, replace)
    result = mtl("train", *WORDS)
    assert result.code == 1
    assert "outputs/x was replaced by another folder" in result.err
    assert [p.name for p in run.iterdir()] == ["config.yaml"]


def test_a_run_whose_folder_is_removed_ends_with_1(mtl, tmp_path, at_record):
    at_record(2, lambda: shutil.rmtree(tmp_path / "outputs/x"))
    result = mtl("train", *WORDS)
    assert result.code == 1
    assert "outputs/x has gone" in result.err
    assert list((tmp_path / "outputs").iterdir()) == []


def test_answers_whose_folder_is_moved_say_so(mtl, tmp_path, at_record):
    (tmp_path / "texts.txt").write_text("".join(f"text {i}\n" for i in range(6)))
    run = tmp_path / "outputs/z"
    at_record(3, lambda: run.rename(tmp_path / "moved"))
    result = mtl("zeroshot", "--labels", "a,b", "--file", "texts.txt", "--out", "z", "method=embed", "backbone=tiny")
    assert result.code == 1
    assert "outputs/z has gone" in result.err
    assert not run.exists()
    assert (tmp_path / "moved/predictions/input.jsonl").is_file()
