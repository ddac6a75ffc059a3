"""Weightings through `mtl train`: resumed bit for bit, bad steps passed over, and what is refused, with what to do."""

import importlib.util
import json
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.test_resume import WORDS, content, start, wait_for
from tests.conftest import TINY

TWO = ("train", *TINY, "task=[rte,stsb]", "train.steps=4", "train.log_every=1", "eval.every=end")
STATEFUL = {"famo": ["sampler=all_tasks"], "gradnorm": [], "moco": []}


@pytest.mark.slow
@pytest.mark.parametrize("name", STATEFUL)
def test_a_stateful_weighting_killed_and_resumed_goes_on_bit_for_bit(name, mtl, tmp_path, cache):
    words = [f"weighting={name}", *STATEFUL[name], "train.steps=14", "eval.every=7", "checkpoint.every=3"]
    process = start(tmp_path, cache, "killed", *words)
    wait_for(tmp_path / "outputs/killed/checkpoints/step_000006", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "outputs/killed/summary.json").exists()
    resumed = mtl("train", *WORDS, *words, "run.name=killed", "run.if_exists=resume")
    assert resumed.code == 0, resumed.err
    assert "resume   from step_0000" in resumed.err
    assert mtl("train", *WORDS, *words, "run.name=whole").code == 0
    assert content(tmp_path / "outputs/killed") == content(tmp_path / "outputs/whole")


@pytest.mark.parametrize("name", ["moco", "db_mtl", "graddrop"])
def test_a_weighting_without_weights_has_no_total_and_says_all_else(name, mtl):
    result = mtl(*TWO, f"weighting={name}", "train.steps=1")
    assert result.code == 0, result.err
    record = next(
        r for r in map(json.loads, (result.run / "metrics.jsonl").read_text().splitlines()) if r["event"] == "train"
    )
    assert set(record["losses"]) == {"rte", "stsb"}
    assert "loss" not in record
    assert record["weights"] == record["weighted_losses"] == {}
    assert "step=1/1 rte=" in result.err


def test_looking_at_gradients_changes_nothing(mtl):
    runs = []
    for every in (1, "null"):
        result = mtl(*TWO, "weighting=pcgrad", f"diagnostics.every={every}", f"run.name=every_{every}")
        assert result.code == 0, result.err
        runs.append(result.run)
    (with_looks, *weights), (without, *expected) = map(content, runs)
    assert weights == expected
    looks = [record for record in with_looks if record["event"] == "gradients"]
    assert [record for record in with_looks if record["event"] != "gradients"] == without
    assert [record["step"] for record in looks] == [1, 2, 3, 4]
    assert all(-1 <= record["cosines"]["rte/stsb"] <= 1 for record in looks)
    assert all(sum(record["shares"].values()) == pytest.approx(1) for record in looks)


@pytest.fixture
def overflowing(tmp_path):
    """Words for a run of two tasks one of which has a label whose square no float32 holds, in each third row."""
    for task in ("rte", "stsb"):
        folder = tmp_path / "data" / task
        folder.mkdir(parents=True)
        for name in ("train", "validation"):
            huge = name == "train" and task == "stsb"
            labels = [1e30 if huge and i == 5 else i % 2 for i in range(24)]
            rows = [{"sentence1": f"one {i}", "sentence2": "two", "label": label} for i, label in enumerate(labels)]
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    local = ("data.source=local", f"data.root={tmp_path}/data", "tasks.stsb.kind.scale=none")
    return (*TWO, *local, "batch.size=8", "train.steps=12", "sampler=all_tasks")


@pytest.mark.parametrize("name", ["famo", "upgrad"])
def test_bad_steps_are_passed_over_and_counted_if_so_configured(name, mtl, overflowing):
    result = mtl(*overflowing, f"weighting={name}", "optim.bad_step=skip")
    assert result.code == 0, result.err
    assert "the loss of task 'stsb' is inf at row 5 of train; this step is skipped (optim.bad_step=skip)" in result.err
    assert result.err.count("is skipped") == 1
    records = [json.loads(line) for line in (result.run / "metrics.jsonl").read_text().splitlines()]
    trained = [record for record in records if record["event"] == "train"]
    assert sum(record.get("skipped_steps", 0) for record in trained) == 2
    assert all(set(record["losses"].values()) <= {0.0} or max(record["losses"].values()) < 1e6 for record in trained)
    assert len(trained) == 12


def test_a_bad_step_stops_the_run_and_names_its_task(mtl, overflowing):
    result = mtl(*overflowing, "weighting=famo")
    assert result.code == 1
    assert "the loss of task 'stsb' is inf at row 5 of train. The last checkpoint stays as it is." in result.err
    assert "look at the data of 'stsb'; optim.bad_step=skip skips such steps" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("words", [["optim.bad_step=skip"], ["train.steps=1"]])
def test_outputs_that_are_no_numbers_are_no_scores(words, mtl):
    result = mtl(
        "train", *TINY, "task=[rte,sst2]", "train.steps=4", "eval.every=end", "optim.lr=1e30", "run.name=far", *words
    )
    assert result.code == 1
    assert "task 'rte', validation: the model's outputs are not finite for 60 of 60 rows" in result.err
    assert "Traceback" not in result.err
    assert result.out == ""
    assert not (Path("outputs/far") / "summary.json").exists()


REFUSED = [
    (["weighting=famo"], "sampler: weighting 'famo' needs every task in each step, which sampler 'proportional' does not give. "
     "Use sampler=all_tasks."),
    (["weighting=gls", "weights.rte=2"], "weights.rte: weighting 'gls' gives the same whatever a loss is multiplied by, so 2"),
    (["weighting=sum", "weights.rte=2"], "Use 1, or another weighting, such as weighting=static."),
    (["weighting=fairgrad", "weights.rte=2"], "weights.rte: weighting 'fairgrad' gives the same whatever a loss"),
    (["weighting=modo", "sampler=all_tasks", "batch.size=4"], "batch.size: weighting 'modo' cuts each task's rows of a step into 3 "
     "parts, but a task may have 2 rows. Use at least 6."),
    (["weighting=dtp", "eval.every=end"], "eval.every: weighting 'dtp' goes by the scores of evaluations during training"),
    (["weighting=dtp", "eval.every=4"], "which has 4 steps; found '4'. Give fewer steps, such as eval.every=1."),
    (["sampler=metric", "eval.every=end"], "eval.every: sampler 'metric' goes by the scores of evaluations"),
    (["weighting=pcgrad", "optim.freeze=encoder"], "weighting.params: 'all' means none: tasks share no trained parameter here"),
    (["weighting=auto_lambda", "weighting.primary=[]", "sampler=all_tasks"], "primary: names no task"),
    (["weighting=auto_lambda", "weighting.look_ahead=0", "sampler=all_tasks"], "initial and look_ahead must be more than 0"),
    (["weighting=gradnorm", "weighting.lr=inf"], "alpha and lr must be finite"),
    (["weighting=moco", "weighting.gamma=-1"], "gamma, rho and both sigmas be 0 or more"),
    (["weights.rte=0*step", "weights.stsb=0*step"], "weights: all are 0 at every step"),
    (["weights.rte=inf"], "weights.rte: must be finite; found inf"),
    (["weighting=pcgrad", "weighting.params=nonesuch"], "weighting.params: no trained parameter that tasks share is meant by 'nonesuch'"),
    (["weighting=pcd", "weighting.primary=qnli", "sampler=all_tasks"], "no task is called 'qnli'; the tasks are rte, stsb"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_what_does_not_go_together_is_refused_with_what_to_do(words, said, mtl):
    result = mtl(*TWO, *words)
    assert result.code == 2
    assert said in " ".join(result.err.split())
    assert "Traceback" not in result.err


def test_several_faults_are_told_at_once(mtl):
    result = mtl(*TWO, "weighting=famo", "weights.rte=2", "weights.stsb=3")
    assert all(key in result.err for key in ("sampler: ", "weights.rte: ", "weights.stsb: "))


def test_a_missing_solver_is_told_before_anything_runs_with_what_to_type(mtl, monkeypatch):
    found = importlib.util.find_spec
    mtl(*TWO, "weighting=nonesuch")  # so that TorchJD is there to be changed
    import torchjd.aggregation  # noqa: F401

    for module in [m for n, m in sys.modules.items() if n.startswith("torchjd") and hasattr(m, "find_spec")]:
        monkeypatch.setattr(module, "find_spec", lambda name, *more: None if name == "clarabel" else found(name, *more))
    result = mtl(*TWO, "weighting=cagrad")
    assert result.code == 2
    assert "weighting: needs cvxpy and clarabel, which are not installed: pip install 'mtl-cli[solvers]'" in result.err
    assert not (result.err.count("steps    4"))


def test_one_task_needs_no_sampler_for_any_weighting(mtl):
    words = ("train", *TINY, "task=rte", "train.steps=3", "train.log_every=1", "weights.rte=0.5", "eval.every=end")
    runs = []
    for name in ("static", "famo"):
        result = mtl(*words, f"weighting={name}", f"run.name={name}")
        assert result.code == 0, result.err
        runs.append(content(result.run))
    assert runs[0] == runs[1]
