import math

import numpy as np
import pytest

from mtl_cli.metrics.classification import Accuracy, BinaryF1
from mtl_cli.metrics.regression import Pearson, RootMeanSquaredError
from mtl_cli.metrics.scorer import MetricScore, TaskScore, mean_score, score_set

GOLD = np.array([0, 1, 1, 0, 1, 0, 1.0])
PREDICTED = np.array([0, 1, 0, 0, 1, 1, 1.0])


def metric_score(value, metric="accuracy", set_name="validation"):
    return MetricScore(metric, set_name, value, None, None, 10)


def task_score(*values, higher=True, task="t"):
    return TaskScore(task, tuple(metric_score(v) for v in values), higher, "")


def test_a_score_has_value_and_count():
    (score,) = score_set({"accuracy": Accuracy()}, "validation", GOLD, PREDICTED, 2, 0, 0)
    assert score.value == pytest.approx(5 / 7)
    assert score.rows == 7
    assert (score.low, score.high) == (None, None)


def test_a_set_without_rows_has_no_scores():
    assert score_set({"accuracy": Accuracy()}, "test", np.zeros(0), np.zeros(0), 2, 100, 0) == []


def test_every_metric_is_scored_in_the_order_asked():
    found = score_set({"f1": BinaryF1(), "accuracy": Accuracy()}, "validation", GOLD, PREDICTED, 2, 0, 0)
    assert [s.metric for s in found] == ["f1", "accuracy"]


def test_an_interval_follows_from_seed_and_set_alone():
    def bounds(set_name, seed):
        (score,) = score_set({"pearson": Pearson()}, set_name, gold, predicted, 0, 200, seed)
        return score.low, score.high

    rng = np.random.default_rng(0)
    gold, predicted = rng.normal(size=60), rng.normal(size=60)
    assert bounds("a", 1) == bounds("a", 1)
    assert len({bounds("a", 1), bounds("a", 2), bounds("b", 1)}) == 3


def test_all_metrics_of_a_set_are_resampled_with_the_same_rows():
    gold, predicted = np.arange(20.0), np.arange(20.0)[::-1]
    scores = score_set({"x": RootMeanSquaredError(), "y": RootMeanSquaredError()}, "v", gold, predicted, 0, 100, 3)
    assert (scores[0].low, scores[0].high) == (scores[1].low, scores[1].high)


def test_a_correlation_of_constants_is_nan_without_interval():
    (score,) = score_set({"pearson": Pearson()}, "v", np.arange(9.0), np.ones(9), 0, 50, 0)
    assert math.isnan(score.value)
    assert (score.low, score.high) == (None, None)


def test_resamples_where_a_correlation_is_not_defined_do_not_spoil_the_interval():
    (score,) = score_set({"pearson": Pearson()}, "v", np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 3.0]), 0, 500, 0)
    assert 0.9 < score.low <= score.value <= score.high <= 1.0


def test_a_score_carries_the_direction_of_its_metric():
    found = score_set(
        {"pearson": Pearson(), "rmse": RootMeanSquaredError()}, "v", np.arange(5.0), np.arange(5.0), 0, 0, 0
    )
    assert [s.higher_is_better for s in found] == [True, False]


def test_a_tasks_score_is_the_mean_over_sets_and_metrics():
    scores = (
        metric_score(0.2),
        metric_score(0.6, "f1"),
        metric_score(0.4, set_name="mm"),
        metric_score(0.8, "f1", "mm"),
    )
    task = TaskScore("t", scores, higher_is_better=True, note="")
    assert task.value == pytest.approx(0.5)
    assert task.of("f1") == pytest.approx(0.7)


def test_the_mean_over_tasks_leaves_out_errors():
    assert mean_score([task_score(0.5), task_score(0.7), task_score(12.0, higher=False)]) == pytest.approx(0.6)


def test_the_mean_over_errors_alone_is_nan():
    assert math.isnan(mean_score([task_score(12.0, higher=False)]))
