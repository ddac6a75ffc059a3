"""Labels may be whatever an example has: here lists of spans, with a metric of sums and one of all rows at once."""

import numpy as np
import pytest

from mtl_cli.metrics.base import Metric, SumMetric, divided, resample, stacked
from mtl_cli.metrics.bootstrap import draw
from mtl_cli.metrics.paired import paired_scores
from mtl_cli.metrics.scorer import score_set


class SpanF1(SumMetric):
    """2 tp / (gold + predicted) over the spans of all rows."""

    def check(self, classes):
        pass

    def statistics(self, gold_N, predicted_N, classes):
        hits = [len(set(gold) & set(predicted)) for gold, predicted in zip(gold_N, predicted_N, strict=True)]
        both = [len(gold) + len(predicted) for gold, predicted in zip(gold_N, predicted_N, strict=True)]
        return stacked(np.array(hits), np.array(both))

    def value(self, sums_RF):
        hits_R, both_R = sums_RF.T
        return divided(2 * hits_R, both_R, 0.0)


class LongestHit(Metric):
    """The most spans that one drawn row has right: a maximum is no sum."""

    def check(self, classes):
        pass

    def statistics(self, gold_N, predicted_N, classes):
        return SpanF1().statistics(gold_N, predicted_N, classes)[:, :1]

    def resampled(self, times_RN, statistics_NF):
        return np.where(times_RN > 0, statistics_NF[:, 0], 0.0).max(axis=1)

    def evaluate(self, gold_N, predicted_N, classes):
        return float(self.statistics(gold_N, predicted_N, classes).max())


def rows(*spans):
    made = np.empty(len(spans), object)
    made[:] = spans
    return made


GOLD = rows(((0, 1), (4, 6)), ((2, 3),), (), ((1, 2), (3, 4), (7, 9)))
PREDICTED = rows(((0, 1),), ((2, 4),), ((5, 6),), ((1, 2), (3, 4)))
METRICS = {"span_f1": SpanF1(), "longest": LongestHit()}


def test_spans_are_scored_over_all_rows():
    f1, longest = score_set(METRICS, "validation", GOLD, PREDICTED, 0, 300, 1)
    assert (f1.value, longest.value) == (pytest.approx(2 * 3 / (6 + 5)), 2.0)
    assert 0 <= f1.low < f1.value < f1.high <= 1
    assert (longest.high, f1.rows) == (2.0, 4)


def test_each_resample_of_spans_is_the_metric_of_its_rows():
    draws = draw([GOLD, PREDICTED], 60, 1, "v")
    found_MR = resample([*METRICS.values()], GOLD, [PREDICTED], 0, draws)[:, 0]
    for r, times_N in enumerate(np.concatenate(list(draws.blocks())).astype(int)):
        drawn = np.repeat(np.arange(4), times_N)
        expected = [metric.evaluate(GOLD[drawn], PREDICTED[drawn], 0) for metric in METRICS.values()]
        assert found_MR[:, r].tolist() == pytest.approx(expected)


def test_models_that_predict_the_same_spans_differ_by_exactly_0():
    draws = draw([GOLD, PREDICTED, PREDICTED], 60, 1, "v")
    one_R, twin_R = resample([SpanF1()], GOLD, [PREDICTED, PREDICTED], 0, draws)[0]
    assert (one_R - twin_R == 0).all()


def test_all_models_and_metrics_meet_the_same_resamples():
    """A model that is the other plus a constant differs from it by that constant in every resample."""

    class Mean(SumMetric):
        def check(self, classes):
            pass

        def statistics(self, gold_N, predicted_N, classes):
            return stacked(predicted_N, np.ones(len(predicted_N)))

        def value(self, sums_RF):
            return sums_RF[:, 0] / sums_RF[:, 1]

    predicted = np.random.default_rng(0).normal(size=30)
    (_, moved) = paired_scores({"mean": Mean()}, np.zeros(30), np.stack([predicted, predicted + 0.5]), 0, 200, 1)
    delta = moved.deltas["mean"]
    assert (delta.value, delta.low, delta.high) == pytest.approx((0.5, 0.5, 0.5))
    assert moved.metrics["mean"].low < moved.metrics["mean"].value < moved.metrics["mean"].high
