import json
import math

import pytest

from mtl_cli.errors import RunError
from mtl_cli.metrics.scorer import MetricScore, TaskScore
from mtl_cli.runs.files import plain
from mtl_cli.train.select import Selector


def score(task, higher=True, **metrics):
    listed = tuple(MetricScore(m, "validation", v, None, None, 9, m not in ("rmse", "mae")) for m, v in metrics.items())
    return TaskScore(task, listed, higher, "")


def follow(selector, values):
    """Which of a series of accuracies were taken as the best so far."""
    return [selector.update([score("rte", accuracy=v)], step) for step, v in enumerate(values, 1)]


def test_the_best_is_the_highest_so_far_and_ties_are_no_gain():
    selector = Selector("mean", None, 0.0)
    assert follow(selector, [0.5, 0.4, 0.5, 0.6]) == [True, False, False, True]
    assert (selector.best, selector.best_step) == (0.6, 4)


def test_a_gain_must_be_more_than_min_delta():
    assert follow(Selector("mean", None, 0.125), [0.5, 0.625, 0.75]) == [True, False, True]


def test_patience_counts_evaluations_without_a_gain():
    selector = Selector("mean", 2, 0.0)
    stops = []
    for step, value in enumerate([0.5, 0.4, 0.6, 0.5, 0.6]):
        selector.update([score("rte", accuracy=value)], step)
        stops.append(selector.stop)
    assert stops == [False, False, False, False, True]


def test_without_patience_it_never_stops():
    selector = Selector("mean", None, 0.0)
    follow(selector, [0.5] * 50)
    assert not selector.stop


def test_nan_is_never_a_gain_and_any_number_is_a_gain_over_it():
    assert follow(Selector("mean", None, 0.0), [math.nan, math.nan, -0.3, math.nan, 0.1]) == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_the_mean_is_over_tasks():
    scores = [score("rte", accuracy=0.6), score("mrpc", accuracy=0.7, f1=0.9)]
    assert Selector("mean", None, 0.0).value(scores) == pytest.approx(0.7)


def test_one_task_that_has_no_score_spoils_the_mean_rather_than_being_left_out():
    assert math.isnan(Selector("mean", None, 0.0).value([score("rte", accuracy=0.6), score("stsb", pearson=math.nan)]))


def test_a_task_or_one_of_its_metrics_is_followed():
    scores = [score("rte", accuracy=0.6), score("mrpc", accuracy=0.7, f1=0.9)]
    assert Selector("mrpc", None, 0.0).value(scores) == pytest.approx(0.8)
    assert Selector("mrpc/f1", None, 0.0).value(scores) == pytest.approx(0.9)


@pytest.mark.parametrize("select", ["mean", "age", "age/rmse"])
def test_errors_are_best_when_lowest(select):
    selector = Selector(select, None, 0.0)
    taken = [selector.update([score("age", higher=False, rmse=v)], step) for step, v in enumerate([3.0, 4.0, 2.0])]
    assert taken == [True, False, True]


def test_a_metric_is_followed_in_its_own_direction_whatever_stands_beside_it():
    scores = [score("stsb", higher=False, pearson=0.8, rmse=1.5)]
    assert Selector("stsb/pearson", None, 0.0).value(scores) == pytest.approx(0.8)
    assert Selector("stsb/rmse", None, 0.0).value(scores) == pytest.approx(-1.5)


def test_a_task_without_scores_is_told():
    with pytest.raises(RunError, match=r"eval.select: task 'sst2' has no labelled validation rows"):
        Selector("sst2", None, 0.0).value([score("rte", accuracy=0.5)])


@pytest.mark.parametrize("seen", [[], [math.nan], [0.5, 0.4], [math.nan, 0.2, 0.1]])
def test_a_state_that_went_through_json_goes_on_the_same_way(seen):
    coming = [math.nan, 0.3, 0.5, 0.6, 0.1, 0.1]
    one, other = Selector("mean", 2, 0.0), Selector("mean", 2, 0.0)
    follow(one, seen)
    other.load_state_dict(json.loads(json.dumps(plain(one.state_dict()))))
    assert follow(one, coming) == follow(other, coming)
    assert (one.stop, one.best_step) == (other.stop, other.best_step)


def without(task, reason, **metrics):
    """A score whose metrics are undefined for a reason."""
    listed = tuple(MetricScore(m, "validation", math.nan, None, None, 9, undefined=reason) for m in metrics)
    return TaskScore(task, listed, True, "")


CONSTANT = without("stsb", "labels", pearson=0)


def test_a_metric_that_the_labels_leave_undefined_is_left_out_and_named():
    selector = Selector("mean", None, 0.0)
    taken = [selector.update([score("rte", accuracy=v), CONSTANT], step) for step, v in enumerate([0.5, 0.4, 0.6], 1)]
    assert taken == [True, False, True]
    assert (selector.best, selector.best_step) == (0.6, 3)
    reason = "undefined: stsb, pearson on validation: all labels are alike"
    assert selector.by == f"mean of what is defined, over rte ({reason})"


def test_predictions_that_are_alike_make_an_evaluation_worse_than_any_other():
    selector = Selector("mean", None, 0.0)
    first, second = without("stsb", "predictions", pearson=0), score("stsb", pearson=-0.2)
    assert selector.update([score("rte", accuracy=0.9), first], 1)
    assert selector.by.startswith("the first evaluation, as mean")
    assert selector.update([score("rte", accuracy=0.1), second], 2)
    assert selector.by == "mean"
    assert not selector.update([score("rte", accuracy=0.9), first], 3)


@pytest.mark.parametrize("select", ["mean", "stsb", "stsb/pearson"])
def test_without_any_score_the_last_evaluation_is_the_best_and_patience_does_not_run_out(select):
    selector = Selector(select, 1, 0.0)
    assert [selector.update([CONSTANT], step) for step in (1, 2, 3)] == [True, True, True]
    assert not selector.stop
    assert selector.best_step == 3
    assert selector.by.startswith("the last evaluation, as ")
    assert "stsb, pearson on validation: all labels are alike" in selector.by or "pearson on validation" in selector.by


def test_errors_say_that_they_decide_where_no_score_is_better_when_higher():
    selector = Selector("mean", None, 0.0)
    selector.update([score("age", higher=False, rmse=2.0)], 1)
    assert selector.by == "the errors of age, as no task has a score that is better when higher"


def test_what_has_chosen_is_kept_over_a_resume():
    selector, again = Selector("mean", None, 0.0), Selector("mean", None, 0.0)
    selector.update([score("rte", accuracy=0.5), CONSTANT], 1)
    again.load_state_dict(json.loads(json.dumps(plain(selector.state_dict()))))
    assert again.by == selector.by
