"""Chances and weights that change during a run, from the command line to the records."""

import json
import shlex

import pytest

from tests.conftest import TINY

SHORT = (*TINY, "train.steps=6", "eval.every=2", "train.log_every=1", "diagnostics.every=null")


def records(run, event="train"):
    return [r for r in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()) if r["event"] == event]


def test_a_weight_as_an_expression_in_the_shells_quotes_weighs_each_step_as_it_says(mtl):
    # as typed into a shell: Hydra wants quotes of its own around brackets and commas
    words = shlex.split("""task=[rte,stsb] 'weights.rte="min(1, step/4)"' weights.stsb=1-step/steps""")
    run = mtl("train", *SHORT, *words).run
    assert [r["weights"]["rte"] for r in records(run)] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1])
    assert [r["weights"]["stsb"] for r in records(run)] == pytest.approx([1 - t / 6 for t in range(6)])
    assert json.loads((run / "summary.json").read_text())["weights"] == {
        "rte": "min(1, step/4)", "stsb": "1-step/steps",
    }  # fmt: skip


def test_the_effective_weight_is_on_record_and_on_the_log(mtl):
    words = ("task=[rte,sst2]", "weights.rte=3", "sampler=explicit", "sampler.chances={rte:1,sst2:3}")
    result = mtl("train", *SHORT, *words)
    assert "sampling explicit: rte 0.25 (weight x chance 0.75), sst2 0.75 (weight x chance 0.75)" in result.err
    for record in records(result.run):
        assert record["effective_weights"] == pytest.approx({"rte": 0.75, "sst2": 0.75})


def test_one_task_alone_is_not_said_to_be_sampled(mtl):
    assert "sampling" not in mtl("train", *TINY, "task=rte", "train.steps=1").err


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["weights.rte=2-step"], "weights.rte: must be 0 or more; '2-step' is -1 at step 3"),
        (["weights.rte=stp/5"], "weights.rte: 'stp/5': unknown name 'stp'. Did you mean 'step'?"),
        (["train.steps=null", "weights.rte=0.5-epoch"], "weights.rte: must be 0 or more; '0.5-epoch' is -0."),
        (["sampler=expression", "sampler.chances={rte:1,stsb:2-step}"], "sampler: the chance of 'stsb': must be 0 or more; '2-step' is -1"),
        (["sampler=uncertainty"], "sampler: 'uncertainty' goes by the entropy of class probabilities, and task 'stsb' has no"),
        (["sampler=metric", "sampler.targets={rt:1}"], "sampler: targets: no task 'rt' (Did you mean 'rte'?)"),
        (["sampler=metric", "tasks.stsb.metrics=[rmse]"], "sampler: 'metric' compares scores with their best, and task 'stsb'"),
    ],
)  # fmt: skip
def test_what_could_not_run_is_told_before_anything_runs(mtl, tmp_path, command, words, said):
    result = mtl(command, *SHORT, "task=[rte,stsb]", *words)
    assert result.code == 2
    assert said in result.err
    assert list(tmp_path.glob("outputs/*")) == []


def test_quotes_that_the_shell_took_away_are_told(mtl):
    result = mtl("train", "weights.rte=min(1, step/500)")
    assert result.code == 2
    assert """give it quotes inside the shell's: 'weights.rte="min(1, step/500)"'""" in result.err


@pytest.mark.parametrize(
    "words",
    [
        ["sampler=smoothing"],
        ["sampler=annealed"],
        ["sampler=expression", "sampler.chances={rte:step/steps,sst2:1}"],
        ["sampler=metric", "sampler.targets={rte:0.6}"],
        ["sampler=uncertainty"],
    ],
    ids=lambda words: words[0],
)
def test_each_sampler_trains_and_its_chances_are_on_record(mtl, words):
    result = mtl("train", *SHORT, "task=[rte,sst2]", "data.limit=64", *words)
    assert result.code == 0, result.err
    for record in records(result.run):
        # all weights are 1, so that what is on record are the chances of the tasks that the step held
        assert sum(record["effective_weights"].values()) == pytest.approx(1) or len(record["losses"]) == 1


def test_a_metric_driven_run_draws_by_the_scores_of_its_last_evaluation(mtl):
    words = ("task=[rte,sst2]", "sampler=metric", "sampler.targets={rte:1,sst2:1}", "sampler.floor=0.1")
    run = mtl("train", *SHORT, *words).run
    shares = {r["step"]: r["effective_weights"] for r in records(run)}
    assert shares[1] == pytest.approx({"rte": 0.5, "sst2": 0.5})
    for record in records(run, "eval")[:-1]:
        needs = {task: 1.1 - found["score"] for task, found in record["tasks"].items()}
        expected = {task: need / sum(needs.values()) for task, need in needs.items()}
        assert shares[record["step"] + 1] == pytest.approx(expected)


def test_a_run_that_goes_on_draws_what_an_unbroken_one_draws(mtl, tmp_path):
    """Stopped after an evaluation inside a window of steps, whose plan is older than the evaluation."""
    words = (
        *TINY, "task=[rte,sst2,qnli]", "sampler=uncertainty", "sampler.floor=0", "train.steps=12", "eval.every=3", "checkpoint.keep=9",
        "train.log_every=1", "batch.window=4", "optim.lr=0.01", "checkpoint.keep_optimizer=true", 'weights.rte="0.5+step/steps"',
    )  # fmt: skip
    whole, broken = (mtl("train", *words, f"run.name={name}").run for name in ("whole", "broken"))
    for later in ("step_000009", "step_000012"):
        for path in sorted((broken / "checkpoints" / later).rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        (broken / "checkpoints" / later).rmdir()
    (broken / "summary.json").unlink()
    result = mtl("train", *words, "run.name=broken", "run.if_exists=resume")
    assert result.code == 0, result.err
    assert "resume   from step_000006" in result.err

    def content(run):
        return [
            {k: v for k, v in r.items() if k != "speed"} for event in ("train", "eval") for r in records(run, event)
        ]

    assert content(broken) == content(whole)
    shares = [r["effective_weights"] for r in records(whole)]
    assert shares[0] != shares[4]
