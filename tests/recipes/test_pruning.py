"""A run whose watch says so stops at that evaluation; a trial is judged by the trials before it."""

import json

import pytest

from mtl_cli.config.compose import compose
from mtl_cli.config.read import read
from mtl_cli.config.schema import TrainConfig
from mtl_cli.metrics.scorer import MetricScore, TaskScore
from mtl_cli.recipes.asked import Asked
from mtl_cli.recipes.train.pruning import TrialWatch, open_study
from mtl_cli.recipes.train.run import train
from tests.conftest import TINY


def scores(value):
    return [TaskScore("rte", (MetricScore("accuracy", "validation", value, None, None, 10),), True, "")]


@pytest.mark.filterwarnings("ignore")
def test_a_pruned_run_stops_at_that_evaluation_and_is_scored(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("MTL_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    words = [*TINY, "task=rte", "train.steps=8", "eval.every=2", "train.log_every=1", "run.name=p"]
    values = compose("train", words).values
    seen = []

    def watch(found, step):
        seen.append(step)
        return step == 4

    run = train(Asked(read(TrainConfig, values), values, words, "rte"), watch)
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert seen == [2, 4]
    assert max(record["step"] for record in records) == 4
    assert sorted(p.name for p in (run / "checkpoints").glob("step_*"))[-1] == "step_000004"
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["status"], summary["steps"], summary["stopped_early"]) == ("pruned", 4, True)
    assert (run / "predictions/rte.validation.jsonl").is_file()


def test_a_trial_below_the_median_of_enough_finished_ones_is_pruned(tmp_path):
    pytest.importorskip("optuna")
    journal = tmp_path / "study.journal"
    study = open_study(journal, 1, 2)

    def trial(*values, after=2):
        number = study.ask().number
        return number, [
            TrialWatch(str(journal), number, "rte", after)(scores(v), step) for step, v in enumerate(values, start=1)
        ]

    def finished(*values):
        number, said = trial(*values)
        study.tell(number, values[-1])
        return said

    assert finished(0.8, 0.8) == [False, False]
    assert finished(0.1, 0.6) == [False, False]  # one has finished: not enough to compare with
    assert trial(0.44, 0.65)[1] == [True, True]  # medians 0.45 and 0.7
    assert trial(0.46, 0.65)[1] == [False, True]
    assert trial(0.9, 0.1)[1] == [False, False]  # its best so far counts
    assert trial(0.44, after=3)[1] == [False]


def test_what_was_reported_before_a_kill_stays_as_it_was(tmp_path):
    pytest.importorskip("optuna")
    journal = tmp_path / "study.journal"
    study = open_study(journal, 1, 1)
    number = study.ask().number
    watch = TrialWatch(str(journal), number, "rte", 1)
    watch(scores(0.5), 2)
    watch(scores(0.9), 2)
    watch(scores(float("nan")), 4)
    assert study.trials[number].intermediate_values[2] == 0.5
