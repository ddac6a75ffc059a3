"""`mtl train seeds=[...] baselines=true` and `mtl runs compare`."""

import csv
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import command
from tests.conftest import TINY

WORDS = (
    *TINY,
    "task=[rte,sst2]",
    "train.steps=2",
    "run.name=mine",
    "baselines=true",
    "checkpoint.keep_optimizer=true",
)


@pytest.fixture(scope="module")
def series(tmp_path_factory, cache):
    """A run with two seeds and its baselines, and the folder that it was made in."""
    folder = tmp_path_factory.mktemp("series")
    result = command(folder, cache, "train", *WORDS, "seeds=[1,2]")
    assert result.code == 0, result.err
    return folder, result


@pytest.fixture
def copied(series, tmp_path):
    """Outputs of the series, free to change; the command works beside them."""
    shutil.copytree(series[0] / "outputs", tmp_path / "outputs", symlinks=True)
    return tmp_path / "outputs"


def times(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("summary.json"))}


def test_standard_output_holds_the_folder_alone_and_the_table_is_on_standard_error(series):
    folder, result = series
    assert result.out == "outputs/mine\n"
    assert "outputs/mine beside its baselines\ntask " in result.err
    assert "2 seeds (1, 2) beside 2 of the baselines; 20 paired resamples" in result.err
    assert sorted(p.name for p in (folder / "outputs/mine").iterdir()) == ["compare.json", "seed_1", "seed_2"]
    tasks = sorted(p.name.partition("-")[0] for p in (folder / "outputs/baselines").iterdir())
    assert tasks == ["rte", "rte", "sst2", "sst2"]


def test_the_record_names_runs_and_baselines_and_holds_the_verdict(series):
    folder = series[0] / "outputs/mine"
    record = json.loads((folder / "compare.json").read_text())
    assert record["runs"] == ["seed_1", "seed_2"]
    for task, names in record["baselines"].items():
        tasks = [json.loads((folder / name / "summary.json").read_text())["tasks"] for name in names]
        assert [list(t) for t in tasks] == [[task], [task]]
    assert record["compared"][0]["mean"]["delta"]["verdict"] in ("better", "worse", "within noise")


def test_scores_are_those_of_the_summaries(series, mtl, monkeypatch):
    monkeypatch.chdir(series[0])
    lines = list(csv.DictReader(io.StringIO(mtl("runs", "compare", "outputs/mine", "--csv").out)))
    for line in lines:
        scores = []
        for seed in (1, 2):
            summary = json.loads((series[0] / f"outputs/mine/seed_{seed}/summary.json").read_text())
            scores.append(summary["mean"] if line["task"] == "mean" else summary["tasks"][line["task"]]["score"])
        assert float(line["score"]) == pytest.approx(sum(scores) / 2)
        assert float(line["delta"]) == pytest.approx(float(line["score"]) - float(line["baseline"]))
    assert [line["task"] for line in lines] == ["rte", "sst2", "mean"]


def test_the_same_command_trains_nothing_again(copied, mtl):
    before = times(copied)
    result = mtl("train", *WORDS, "seeds=[1,2]")
    assert (result.code, result.out) == (0, "outputs/mine\n"), result.err
    assert times(copied) == before
    assert "reuse    4 of 4 baselines are trained: baselines/rte-" in result.err
    assert result.err.count("is finished: nothing to do") == 2


def test_another_mixture_of_a_seed_finds_the_baselines(copied, mtl):
    result = mtl("train", *WORDS, "run.name=weighted", "weights.rte=2", "seed=2")
    assert (result.code, result.out) == (0, "outputs/weighted\n"), result.err
    assert "reuse    2 of 2 baselines" in result.err
    assert (copied / "weighted/compare.json").is_file()
    assert len(list((copied / "baselines").iterdir())) == 4


def test_another_rate_makes_new_baselines(copied, mtl):
    result = mtl("train", *WORDS, "run.name=faster", "optim.lr=1e-3")
    assert result.code == 0, result.err
    assert "reuse" not in result.err
    assert "baseline 2 of 2: sst2, seed 1" in result.err
    assert len(list((copied / "baselines").iterdir())) == 6


def test_a_baseline_that_was_cut_off_is_gone_on_with(copied, mtl):
    cut = sorted((copied / "baselines").glob("rte-*"))[0]
    (cut / "summary.json").unlink()
    result = mtl("train", *WORDS, "seeds=[1,2]", "train.log_every=1", "run.if_exists=resume", "run.name=again")
    assert result.code == 0, result.err
    assert "reuse    3 of 4 baselines" in result.err
    assert "resume   from step_000002" in result.err
    assert (cut / "summary.json").is_file()


def test_runs_without_a_record_find_their_baselines_in_the_outputs_folder(copied, mtl):
    with_record = mtl("runs", "compare", "outputs/mine").out
    (copied / "mine/compare.json").unlink()
    assert mtl("runs", "compare", "outputs/mine").out == with_record


def test_several_groups_stand_beside_one_another_and_seeds_come_together(copied, mtl):
    result = mtl("runs", "compare", "outputs/mine/seed_2", "outputs/mine/seed_1", "--json")
    assert [group["seeds"] for group in json.loads(result.out)] == [[1, 2]]
    table = mtl(
        "runs", "compare", "outputs/mine/seed_1", "outputs/baselines/" + min((copied / "baselines").iterdir()).name
    )
    assert table.out.count("beside its baselines") == 2, table.err


def test_a_run_beside_its_equal_is_within_noise(copied, mtl):
    shutil.copytree(copied / "mine/seed_1", copied / "equal", symlinks=True)
    result = mtl("runs", "compare", "outputs/mine/seed_1", "--baseline", "outputs/equal")
    assert result.out.count("0.0  0.0 .. 0.0     within noise") == 3
    assert "one seed: the intervals hold the noise of the rows" in result.out


def test_what_cannot_be_compared_is_told(copied, mtl, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "there is no folder nowhere" in mtl("runs", "compare", "nowhere").err
    result = mtl("runs", "compare", "empty")
    assert (result.code, result.err) == (2, "mtl: empty holds no run: no folder in it has a config.yaml\n")
    assert "--json or --csv" in mtl("runs", "compare", "outputs/mine", "--json", "--csv").err
    summary = copied / "mine/seed_2/summary.json"
    summary.write_text(summary.read_text().replace('"done"', '"pruned"'))
    assert "not finished or pruned, left out: outputs/mine/seed_2" in mtl("runs", "compare", "outputs/mine").err
    summary.unlink()
    assert "not finished or pruned, left out: outputs/mine/seed_2" in mtl("runs", "compare", "outputs/mine").err
    result = mtl("runs", "compare", "outputs/mine/seed_2")
    assert (result.code, result.err.split(":")[1]) == (2, " outputs/mine/seed_2 is not finished")
    shutil.rmtree(copied / "baselines")
    result = mtl("runs", "compare", "outputs/mine/seed_1")
    assert "no finished baselines of rte, sst2 were found" in result.err
    assert "baselines=true, or give --baseline FOLDER" in result.err
    (copied / "mine/seed_1/summary.json").write_text("{")
    assert "is damaged" in mtl("runs", "compare", "outputs/mine/seed_1").err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task=rte"], "baselines: nothing to compare: 'rte' is the only task"),
        (["seeds=[]"], "seeds: must name at least one seed, such as [1,2,3]"),
        (["seeds=[1,1]"], "seeds: 1 is listed more than once"),
        (["seeds=[-1]"], "seeds: must lie between 0 and 2147483647; found -1"),
        (["seeds=1"], "seeds: must be a list, such as [a,b]; found 1"),
        (["baseline_budget=row"], "'row' is not one of 'steps', 'rows'. Did you mean 'rows'?"),
        (["run.name=baselines/x"], "run.name: 'baselines' is the folder of the single-task runs"),
        (["data.root=nowhere", "data.source=local"], "nowhere"),
        (["-m", "seed=1,2", "seeds=[1]"], "a point of a sweep is one run, no series. Rather sweep over seed=1,2,3"),
    ],
)
def test_what_cannot_be_a_series_is_told_before_anything_is_trained(mtl, tmp_path, words, message):
    result = mtl("train", *WORDS, *words)
    assert result.code == 2
    assert message in result.err
    assert not (tmp_path / "outputs").exists()


def test_a_series_does_not_go_into_a_run(copied, mtl):
    result = mtl("train", *WORDS, "seeds=[1,2]", "run.name=mine/seed_1")
    assert (result.code, "is a run of its own, no series over seeds" in result.err) == (2, True)


def test_seeds_alone_are_a_series_without_a_verdict(mtl, tmp_path):
    result = mtl("train", *TINY, "task=rte", "train.steps=1", "run.name=two", "seeds=[3,4]")
    assert (result.code, result.out) == (0, "outputs/two\n"), result.err
    assert re.search(r"^seed_3 +done +3 ", result.err, re.MULTILINE)
    assert sorted(p.name for p in (tmp_path / "outputs/two").iterdir()) == ["seed_3", "seed_4"]


def test_a_series_told_to_stop_says_how_to_go_on_and_does(tmp_path, mtl, cache):
    words = ["train", *WORDS, "train.steps=60", "eval.every=end", "checkpoint.every=5"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mtl_cli.cli.app", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "MTL_CACHE": str(cache), "MTL_OUTPUTS": "outputs"},
    )  # fmt: skip
    run = tmp_path / "outputs/mine"
    deadline = time.monotonic() + 120
    while not (run / "checkpoints/step_000005").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "2 more runs are left. To go on: mtl train " in err
    assert not (run / "summary.json").exists()
    again = shlex.split(err.rpartition("To go on: mtl ")[2])
    result = mtl(*again)
    assert (result.code, result.out) == (0, "outputs/mine\n"), result.err
    assert "resume   from step_0000" in result.err
    assert (run / "compare.json").is_file()


def test_seeds_are_scored_on_the_same_rows_where_a_limit_chooses_some(mtl):
    words = ("train.steps=1", "batch.size=4", "data.limit=8", "eval.limit=12", "run.name=few")
    result = mtl("train", *TINY, *words, "task=[rte,sst2]", "seeds=[1,2]", "baselines=true")
    assert result.code == 0, result.err
    rows = [
        [json.loads(line)["row"] for line in (result.run / seed / "predictions/rte.validation.jsonl").open()]
        for seed in ("seed_1", "seed_2")
    ]
    assert len(rows[0]) == 12
    assert rows[0] == rows[1]
    assert "2 seeds (1, 2) beside 2 of the baselines" in result.err
