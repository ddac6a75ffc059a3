import numpy as np
import pytest

from mtl_cli.metrics.classification import Accuracy, MacroF1
from mtl_cli.metrics.paired import mcnemar, paired_scores

METRICS = {"accuracy": Accuracy(), "macro_f1": MacroF1()}


def test_the_exact_test_by_hand():
    # 5 rows that one alone has right, 1 that the other alone has: 2 (C(6,0) + C(6,1)) / 2^6.
    one, other = np.array([1] * 5 + [0] + [1] * 4, bool), np.array([0] * 5 + [1] + [1] * 4, bool)
    assert mcnemar(one, other) == pytest.approx(14 / 64)
    assert mcnemar(other, one) == pytest.approx(14 / 64)
    assert mcnemar(one, one) == 1


def test_values_are_the_metrics_own_and_deltas_are_to_the_first():
    gold = np.array([0, 0, 1, 1, 2, 2.0])
    predicted = np.array([[0, 0, 1, 0, 2, 1], [0, 0, 1, 1, 2, 1], gold])
    found = paired_scores(METRICS, gold, predicted, 3, 200, 1)
    assert [one.metrics["accuracy"].value for one in found] == pytest.approx([4 / 6, 5 / 6, 1])
    assert [one.deltas["accuracy"].value for one in found] == pytest.approx([0, 1 / 6, 2 / 6])
    assert found[1].metrics["macro_f1"].value == pytest.approx(METRICS["macro_f1"].evaluate(gold, predicted[1], 3))
    assert (found[0].deltas["accuracy"].low, found[0].deltas["accuracy"].high, found[0].p) == (0, 0, 1)
    assert (found[2].metrics["accuracy"].low, found[2].metrics["accuracy"].high) == (1, 1)


def test_a_paired_interval_is_narrower_than_that_of_two_samples_would_be():
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 2, 400).astype(float)
    one = np.where(rng.random(400) < 0.3, 1 - gold, gold)
    two = one.copy()
    two[:8] = gold[:8]
    delta = paired_scores(METRICS, gold, np.array([one, two]), 2, 500, 1)[1].deltas["accuracy"]
    assert delta.high - delta.low < 0.03  # two samples of 400 rows: 0.13
    assert 0 <= delta.low <= delta.value <= delta.high


def test_without_resamples_there_is_no_interval():
    gold = np.array([0, 1.0])
    (found,) = paired_scores(METRICS, gold, gold[None], 2, 0, 1)
    assert (found.metrics["accuracy"].low, found.deltas["accuracy"].high) == (None, None)
