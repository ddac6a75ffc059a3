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


def test_an_evaluation_whose_run_is_moved_writes_nothing(trained, mtl, tmp_path, monkeypatch):
    from mtl_cli.recipes import evaluate

    run = tmp_path / "outputs/x"
    shutil.copytree(trained, run, symlinks=True, ignore=shutil.ignore_patterns("evals"))
    score = evaluate.score

    def moved(*args):
        run.rename(tmp_path / "moved")
        return score(*args)

    monkeypatch.setattr(evaluate, "score", moved)
    result = mtl("eval", "run=outputs/x", "bootstrap=0")
    assert (result.code, result.out) == (1, "")
    assert not run.exists()


@pytest.mark.parametrize("where", ["evals", "evals/e"])
def test_an_evaluation_does_not_follow_a_link(trained, mtl, tmp_path, where):
    run = tmp_path / "outputs/x"
    shutil.copytree(trained, run, symlinks=True, ignore=shutil.ignore_patterns("evals"))
    (tmp_path / "elsewhere/predictions").mkdir(parents=True)
    (run / where).parent.mkdir(exist_ok=True)
    (run / where).symlink_to(tmp_path / "elsewhere")
    result = mtl("eval", "run=outputs/x", "bootstrap=0", "name=e")
    assert (result.code, result.out) == (2, "")
    assert f"outputs/x/{where} is a link to {tmp_path}/elsewhere" in result.err
    assert [p.name for p in (tmp_path / "elsewhere").iterdir()] == ["predictions"]


def test_a_series_stops_when_its_folder_has_gone(mtl, tmp_path, monkeypatch):
    from mtl_cli.recipes.studies import series

    train = series.train

    def moved(asked):
        path = train(asked)
        (tmp_path / "outputs/x").rename(tmp_path / "moved")
        return path

    monkeypatch.setattr(series, "train", moved)
    result = mtl("train", *WORDS, "seeds=[1,2]")
    assert (result.code, result.out) == (1, "")
    assert "outputs/x" in result.err
    assert [p.name for p in (tmp_path / "moved").iterdir()] == ["seed_1"]


def test_a_sweep_stops_when_its_folder_has_gone(mtl, tmp_path, monkeypatch):
    from mtl_cli.recipes.studies import sweep

    train = sweep.train

    def moved(asked):
        train(asked)
        (tmp_path / "outputs/x").rename(tmp_path / "moved")

    monkeypatch.setattr(sweep, "train", moved)
    result = mtl("train", "-m", *WORDS, "seed=1,2")
    assert (result.code, result.out) == (1, "")
    assert "outputs/x has gone" in result.err
    assert not (tmp_path / "outputs/x").exists()
    assert (tmp_path / "moved/seed=1/summary.json").is_file()
