"""Bootstrap resampling."""

import numpy as np
import pytest

from mtl_cli.metrics import base
from mtl_cli.metrics.base import confusion, divided
from mtl_cli.metrics.classification import Accuracy, BinaryF1, MacroF1, Matthews
from mtl_cli.metrics.regression import MeanAbsoluteError, Pearson, RootMeanSquaredError, Spearman

CASES = [(m, 3) for m in (Accuracy(), MacroF1(), Matthews())] + [(BinaryF1(), 2)]
CASES += [(m, 0) for m in (Pearson(), Spearman(), RootMeanSquaredError(), MeanAbsoluteError())]
each_metric = pytest.mark.parametrize(
    ("metric", "classes"), CASES, ids=lambda v: type(v).__name__ if not isinstance(v, int) else str(v)
)


def data(classes, rows=80):
    rng = np.random.default_rng(5)
    if not classes:
        gold = rng.normal(size=rows)
        return gold, gold + rng.normal(size=rows)
    gold = rng.integers(0, classes, rows)
    return gold, np.where(rng.random(rows) < 0.6, gold, rng.integers(0, classes, rows))


def interval(samples):
    return np.nanpercentile(samples, [2.5, 97.5])


@each_metric
def test_resampling_agrees_with_drawing_rows_one_resample_at_a_time(metric, classes):
    gold, predicted = data(classes)
    rng = np.random.default_rng(1)
    plain = []
    for _ in range(2000):
        rows = rng.integers(0, len(gold), len(gold))
        plain.append(metric.value(gold[rows], predicted[rows], classes))
    fast = metric.resampled(gold, predicted, classes, 2000, np.random.default_rng(2))
    spread = np.std(plain)
    assert np.mean(fast) == pytest.approx(np.mean(plain), abs=0.15 * spread)
    assert np.std(fast) == pytest.approx(spread, rel=0.1)
    np.testing.assert_allclose(interval(fast), interval(plain), atol=0.35 * spread)


@each_metric
def test_the_interval_covers_the_value_and_narrows_with_the_root_of_the_rows(metric, classes):
    gold, predicted = data(classes)
    low, high = interval(metric.resampled(gold, predicted, classes, 1000, np.random.default_rng(0)))
    assert low < metric.value(gold, predicted, classes) < high
    gold16, predicted16 = np.tile(gold, 16), np.tile(predicted, 16)
    low16, high16 = interval(metric.resampled(gold16, predicted16, classes, 1000, np.random.default_rng(0)))
    assert (high16 - low16) / (high - low) == pytest.approx(1 / 4, rel=0.2)


@each_metric
def test_resampling_in_small_pieces_gives_the_same_numbers(metric, classes, monkeypatch):
    gold, predicted = data(classes)
    whole = metric.resampled(gold, predicted, classes, 50, np.random.default_rng(4))
    monkeypatch.setattr(base, "_CELLS", 7 * 80)
    np.testing.assert_array_equal(metric.resampled(gold, predicted, classes, 50, np.random.default_rng(4)), whole)
    assert whole.shape == (50,)


def test_the_confusion_matrix_has_gold_by_row():
    found = confusion(np.array([0.0, 0.0, 2.0]), np.array([0.0, 1.0, 0.0]), 3)
    np.testing.assert_array_equal(found, [[1, 1, 0], [0, 0, 0], [1, 0, 0]])


def test_a_division_by_zero_gives_the_agreed_value_without_a_warning():
    np.testing.assert_array_equal(divided(np.array([1, 2]), np.array([0, 4]), -7.0), [-7.0, 0.5])
