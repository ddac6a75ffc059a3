"""What a sampler is told."""

import numpy as np
import pytest
from scipy.stats import entropy

from mtl_cli.assemble.sampling import begin_sampler, observations, sampling_line
from mtl_cli.assemble.tasks import BoundTask
from mtl_cli.data.sampler.base import Length
from mtl_cli.data.sampler.expression import ExpressionSampler
from mtl_cli.data.sampler.metric import MetricDriven
from mtl_cli.data.sampler.proportional import Proportional
from mtl_cli.data.sampler.uncertainty import Uncertainty
from mtl_cli.errors import ConfigError
from mtl_cli.expression import Expression
from mtl_cli.metrics.classification import Accuracy
from mtl_cli.metrics.regression import Pearson, RootMeanSquaredError
from mtl_cli.metrics.scorer import MetricScore, TaskScore
from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.kinds.regression import Regression
from tests.data.fakes import pair_task

CLASSES = Classification(labels=["a", "b", "c"])
TASKS = {
    "nli": BoundTask(pair_task(CLASSES), {"accuracy": Accuracy()}),
    "near": BoundTask(pair_task(Regression()), {"pearson": Pearson()}),
    "far": BoundTask(pair_task(Regression()), {"rmse": RootMeanSquaredError()}),
}
OPTIONS = {"floor": 0.0, "per_step": "mixed"}


def told(sampler, tasks=TASKS):
    with pytest.raises(ConfigError) as caught:
        begin_sampler("mine", sampler, tasks, Length(10, 5))
    return str(caught.value).splitlines()


def test_a_sampler_by_entropy_refuses_each_task_without_classes_by_name():
    lines = told(Uncertainty(list(TASKS), [1, 1, 1], **OPTIONS))
    assert [line.split(". ")[0] for line in lines] == [
        f"sampler: 'mine' goes by the entropy of class probabilities, and task '{name}' has no classes"
        for name in ("near", "far")
    ]


def test_a_sampler_by_scores_refuses_a_task_whose_score_is_an_error():
    assert told(MetricDriven(list(TASKS), [1, 1, 1], targets={}, **OPTIONS)) == [
        "sampler: 'mine' compares scores with their best, and task 'far' is scored by rmse, which is better when lower. "
        "Change tasks.far.metrics."
    ]


def test_chances_that_do_not_last_for_the_run_are_refused():
    chances = {"nli": Expression("8 - step")}
    sampler = ExpressionSampler(["nli"], [9], chances=chances, per_step="mixed")
    assert told(sampler, {"nli": TASKS["nli"]}) == ["sampler: all chances are 0 at step 8: no task could be drawn"]


def test_any_other_sampler_takes_any_task_and_knows_how_long_the_run_is():
    sampler = Proportional(list(TASKS), [1, 1, 1], per_step="mixed")
    begin_sampler("mine", sampler, TASKS, Length(10, 5))
    assert sampler.length.epoch(5) == 1


def score(task, value):
    return TaskScore(task, (MetricScore("m", "validation", value, None, None, 4),), True, "")


def test_entropy_is_the_mean_over_the_rows_of_all_sets_as_a_share_of_that_of_no_idea():
    matched, mismatched = np.random.default_rng(0).normal(size=(2, 5, 3))
    predicted = {
        ("nli", "matched"): CLASSES.decode(Column(matched), {}),
        ("nli", "mismatched"): CLASSES.decode(Column(mismatched[:2]), {}),
        ("near", "validation"): Regression().decode(Column(np.ones((4, 1))), {}),
    }
    found = observations(predicted, [score("nli", 0.5), score("near", 0.25)])
    logits = np.concatenate([matched, mismatched[:2]])
    expected = entropy(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), base=3, axis=1).mean()
    assert [(o.task, o.score) for o in found] == [("nli", 0.5), ("near", 0.25)]
    assert found[0].entropy == pytest.approx(expected)
    assert found[1].entropy is None


@pytest.mark.parametrize(
    ("row", "expected"), [([3, 3, 3], 1.0), ([900, 0, 0], 0.0), ([50, 50, -900], np.log(2) / np.log(3))]
)
def test_entropy_goes_from_sure_to_no_idea(row, expected):
    predicted = CLASSES.decode(Column(np.float32([row, row])), {})
    (found,) = observations({("nli", "validation"): predicted}, [score("nli", 1.0)])
    assert found.entropy == pytest.approx(expected)


def test_the_line_at_the_start_shows_chances_and_effective_weights():
    line = sampling_line("uniform", {"rte": 0.5, "sst2": 0.5}, {"rte": 0.0, "sst2": 0.5})
    assert line == "uniform: rte 0.5 (weight x chance 0), sst2 0.5 (weight x chance 0.25)"
