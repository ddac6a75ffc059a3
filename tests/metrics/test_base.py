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


def two_series(classes):
    gold, first = data(classes)
    return gold, np.stack([first, np.where(np.arange(len(gold)) % 5 == 0, gold, first)])


@each_metric
def test_series_resampled_together_meet_the_same_rows(metric, classes):
    gold, predicted = two_series(classes)
    rng = np.random.default_rng(1)
    plain = []
    for _ in range(1500):
        rows = rng.integers(0, len(gold), len(gold))
        plain.append([metric.value(gold[rows], one[rows], classes) for one in predicted])
    first, second = metric.resampled_together(gold, predicted, classes, 1500, np.random.default_rng(2))
    a, b = np.array(plain).T
    assert np.std(second - first) == pytest.approx(np.std(b - a), rel=0.1)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=0.05)
    assert np.mean(second - first) == pytest.approx(np.mean(b - a), abs=0.15 * np.std(b - a))


@each_metric
def test_resampling_together_is_the_same_in_small_pieces_and_for_a_twin(metric, classes, monkeypatch):
    gold, predicted = two_series(classes)
    three = np.concatenate([predicted, predicted[:1]])
    whole = metric.resampled_together(gold, three, classes, 50, np.random.default_rng(4))
    monkeypatch.setattr(base, "_CELLS", 7 * 80)
    pieces = metric.resampled_together(gold, three, classes, 50, np.random.default_rng(4))
    np.testing.assert_array_equal(pieces, whole)
    np.testing.assert_array_equal(whole[0], whole[2])
    assert whole.shape == (3, 50)


@each_metric
def test_a_metric_of_its_own_kind_is_resampled_together_row_by_row(metric, classes):
    gold, predicted = two_series(classes)
    slow = base.Metric.resampled_together(metric, gold, predicted, classes, 300, np.random.default_rng(3))
    fast = metric.resampled_together(gold, predicted, classes, 3000, np.random.default_rng(3))
    assert slow.shape == (2, 300)
    assert np.std(slow[1] - slow[0]) == pytest.approx(np.std(fast[1] - fast[0]), rel=0.25)


def test_the_confusion_matrix_has_gold_by_row():
    found = confusion(np.array([0.0, 0.0, 2.0]), np.array([0.0, 1.0, 0.0]), 3)
    np.testing.assert_array_equal(found, [[1, 1, 0], [0, 0, 0], [1, 0, 0]])


def test_a_division_by_zero_gives_the_agreed_value_without_a_warning():
    np.testing.assert_array_equal(divided(np.array([1, 2]), np.array([0, 4]), -7.0), [-7.0, 0.5])
