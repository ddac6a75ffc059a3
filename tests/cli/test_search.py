"""`mtl train -m search.trials=N`: Optuna proposes, runs answer; a killed search goes on as if it had not been."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.cli.conftest import command
from tests.conftest import TINY

pytest.importorskip("optuna")
pytestmark = pytest.mark.filterwarnings("ignore")

RANGES = ("weights.rte=interval(0.1,10)", "weights.stsb=interval(0.1,10)")
WORDS = (
    "train", "-m", *TINY, "task=[rte,stsb]", *RANGES, "train.steps=6", "eval.every=2", "batch.size=8",
    "eval.batch_tokens=20000", "search.trials=6", "search.random=3", "search.prune=true", "search.prune_after=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def searched(tmp_path_factory, cache):
    folder = tmp_path_factory.mktemp("search")
    result = command(folder, cache, *WORDS, "run.name=se")
    assert result.code == 0, result.err
    return folder / "outputs/se", result


def points(folder):
    return [one["varied"] for one in json.loads((folder / "sweep.json").read_text())]


def test_each_trial_is_a_run_with_weights_inside_the_ranges(searched):
    folder, result = searched
    found = points(folder)
    assert len(found) == len({json.dumps(p) for p in found}) == 6
    for i, point in enumerate(found):
        summary = json.loads((folder / f"trial_{i:03d}/summary.json").read_text())
        assert summary["weights"] == {"rte": point["weights.rte"], "stsb": point["weights.stsb"]}
        assert all(0.1 <= value <= 10 for value in point.values())
    assert result.out == "outputs/se\n"
    assert "best     trial_00" in result.err


def evaluated(run):
    """Means of the evaluations by step."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {one["step"]: one["mean"] for one in records if one["event"] == "eval"}


def test_trials_worse_than_the_median_of_those_before_are_pruned_there_and_no_others(searched):
    """The rule by hand: the best mean so far against the median, at the same step, of the trials that ran to their end."""
    folder, result = searched
    complete, statuses = [], []
    for i in range(6):
        run = folder / f"trial_{i:03d}"
        seen = evaluated(run)
        worse = [
            s
            for s in seen
            if complete and max(v for k, v in seen.items() if k <= s) < np.median([c[s] for c in complete])
        ]
        summary = json.loads((run / "summary.json").read_text())
        pruned = bool(worse) and worse[0] < 6
        assert (summary["status"], summary["steps"]) == (("pruned", worse[0]) if pruned else ("done", 6))
        assert summary["stopped_early"] == pruned
        assert (run / "checkpoints/best").exists()
        statuses.append(summary["status"])
        if not pruned:
            complete.append({s: max(v for k, v in seen.items() if k <= s) for s in seen})
    assert {"pruned", "done"} == set(statuses)
    table = {line.split()[0]: line.split()[1] for line in result.err.splitlines() if line.startswith("trial_")}
    assert list(table.values()) == statuses


def test_the_table_marks_the_front_and_the_best_mean(searched):
    folder, result = searched
    lines = [line for line in result.err.splitlines() if line.startswith("trial_")]
    assert len(lines) == 6
    listed = json.loads((folder / "pareto.json").read_text())
    best = max(listed, key=lambda one: one["mean"])
    assert best["best_mean"]
    assert best["front"]
    marks = {line.split()[0]: "*" in line for line in lines}
    assert marks == {one["run"]: one["front"] for one in listed}


def test_killed_without_warning_then_resumed_it_proposes_and_finds_the_same(searched, tmp_path, cache):
    whole, _ = searched
    process = subprocess.Popen(
        [sys.executable, "-m", "mtl_cli.cli.app", *WORDS, "run.name=se"], cwd=tmp_path, stderr=subprocess.DEVNULL,
        env={**os.environ, "MTL_CACHE": str(cache), "MTL_OUTPUTS": "outputs"},
    )  # fmt: skip
    end = time.monotonic() + 300
    while not (tmp_path / "outputs/se/trial_001/checkpoints/step_000002").exists():
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    result = command(tmp_path, cache, *WORDS, "run.name=se")
    assert result.code == 0, result.err
    assert "trial_000 is finished: nothing to do" not in result.err  # the study knows its value
    again = tmp_path / "outputs/se"
    assert points(again) == points(whole)
    assert (again / "pareto.json").read_text() == (whole / "pareto.json").read_text()
    last = "trial_001/checkpoints/last/encoder/model.safetensors"
    assert (again / last).read_bytes() == (whole / last).read_bytes()


def test_more_trials_go_on_with_the_same_study_and_other_ranges_are_refused(searched, cache):
    folder, _ = searched
    before = points(folder)
    outputs = folder.parent.parent
    more = command(outputs, cache, *WORDS, "run.name=se", "search.trials=7")
    assert more.code == 0, more.err
    assert points(folder)[:6] == before
    assert len(points(folder)) == 7
    words = [word.replace("0.1,10", "0.1,20") for word in WORDS]
    other = command(outputs, cache, *words, "run.name=se", "search.trials=8")
    assert other.code == 2
    assert "holds a search over other axes" in other.err


def test_several_objectives_end_in_the_front_of_their_scores(tmp_path, cache):
    words = [word for word in WORDS if not word.startswith(("search.", "eval.every"))]
    more = ("eval.every=end", "search.trials=4", "search.objective=[rte,stsb/pearson]", "run.name=two")
    result = command(tmp_path, cache, *words, *more)
    assert result.code == 0, result.err
    listed = json.loads((tmp_path / "outputs/two/pareto.json").read_text())
    scores = []
    for i in range(4):
        tasks = json.loads((tmp_path / f"outputs/two/trial_{i:03d}/summary.json").read_text())["tasks"]
        pearson = next(m["value"] for m in tasks["stsb"]["metrics"] if m["metric"] == "pearson")
        scores.append((tasks["rte"]["score"], pearson))
    beaten = [any(a[0] >= b[0] and a[1] >= b[1] and a != b for a in scores) for b in scores]
    assert len(listed) == 4
    assert f"best     {beaten.count(False)} trials on the front over rte, stsb/pearson" in result.err


def test_trials_that_a_yaml_file_asks_for_make_a_search(tmp_path, cache):
    (tmp_path / "own/plan").mkdir(parents=True)
    (tmp_path / "own/plan/short.yaml").write_text("# @package _global_\nsearch: {trials: 2, scale: linear}\n")
    words = [word for word in WORDS if not word.startswith(("search.", "eval.every", "train.steps", "weights."))]
    more = ("eval.every=end", "train.steps=1", "weights.rte=interval(0,1)", "weights.stsb=1,2", "+plan=short")
    result = command(tmp_path, cache, *words, *more, "--config-dir", "own", "run.name=yaml")
    assert result.code == 0, result.err
    assert len(points(tmp_path / "outputs/yaml")) == 2
    assert {str(p["weights.stsb"]) for p in points(tmp_path / "outputs/yaml")} <= {"1", "2"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("optim.lr=interval(-1,1)",), "a log scale begins above 0. For this one: tag(linear,interval(-1.0,1.0))"),
        (("optim.lr=interval(2,1)",), "an interval goes from less to more"),
        (("optim.lrr=interval(1,2)",), "unknown key. Did you mean 'optim.lr'?"),
        (("optim.betas=interval(1,2)",), "optim.betas: must be a list"),
        (
            ("optim.lr=interval(1,2)", "search.objective=rtee"),
            "search.objective: 'rtee' is no task. Did you mean 'rte'?",
        ),
        (("optim.lr=interval(1,2)", "search.prune=true", "eval.every=end"), "search.prune: a trial is judged"),
        (
            ("optim.lr=interval(1,2)", "search.prune=true", "search.objective=[rte,mean]"),
            "search.prune: trials of several objectives cannot be compared",
        ),
        (("optim.lr=interval(1,2)", "search.objective=rte,mean"), "for a list of objectives write [a,b]"),
        (("sampler=uniform,unifrm",), "unknown sampler 'unifrm'"),
    ],
)
def test_what_cannot_be_searched_is_told_before_anything_runs(mtl, tmp_path, words, message):
    result = mtl("train", "-m", *TINY, "task=rte", *words, "search.trials=2", "run.name=x")
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert list(tmp_path.iterdir()) == []
