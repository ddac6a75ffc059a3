"""Every metric over resamples: against resamples made row by row."""

import numpy as np
import pytest

from mtl_cli.metrics import bootstrap
from mtl_cli.metrics.base import divided, resample, stacked
from mtl_cli.metrics.bootstrap import draw
from mtl_cli.metrics.classification import Accuracy, BinaryF1, MacroF1, Matthews
from mtl_cli.metrics.multilabel import LABEL_SETS
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
    gold = rng.integers(0, classes, rows).astype(float)
    return gold, np.where(rng.random(rows) < 0.6, gold, rng.integers(0, classes, rows))


def series(classes):
    gold, first = data(classes)
    return gold, np.stack([first, np.where(np.arange(len(gold)) % 5 == 0, gold, first)])


def drawn(metric, gold, predicted, classes, rounds, seed=2):
    draws = draw([gold, *predicted], rounds, seed, "v")
    return resample([metric], gold, predicted, classes, draws)[0]


@each_metric
def test_a_row_taken_twice_counts_as_two_rows(metric, classes):
    """Each resample equals the metric of the rows written out, whether rows are merged or not."""
    gold, predicted = data(classes)
    draws = draw([gold, predicted], 40, 3, "v")
    (found,) = resample([metric], gold, [predicted], classes, draws)[0]
    expected = []
    for times_U in np.concatenate(list(draws.blocks())).astype(int):
        rows = np.repeat(draws.first_U, times_U)
        expected.append(metric.evaluate(gold[rows], predicted[rows], classes))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@each_metric
def test_resampling_agrees_with_drawing_rows_one_resample_at_a_time(metric, classes):
    gold, predicted = series(classes)
    rng = np.random.default_rng(1)
    plain = []
    for _ in range(1500):
        rows = rng.integers(0, len(gold), len(gold))
        plain.append([metric.evaluate(gold[rows], one[rows], classes) for one in predicted])
    a, b = np.array(plain).T
    first, second = drawn(metric, gold, predicted, classes, 1500)
    assert np.mean(first) == pytest.approx(np.mean(a), abs=0.15 * np.std(a))
    assert np.std(first) == pytest.approx(np.std(a), rel=0.1)
    assert np.std(second - first) == pytest.approx(np.std(b - a), rel=0.1)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=0.05)


@each_metric
def test_the_interval_covers_the_value_and_narrows_with_the_root_of_the_rows(metric, classes):
    gold, predicted = data(classes)
    around = bootstrap.interval(drawn(metric, gold, [predicted], classes, 1000)[0])
    assert around.low < metric.evaluate(gold, predicted, classes) < around.high
    tiled, tiled_predicted = np.tile(gold, 16), np.tile(predicted, 16)
    narrow = bootstrap.interval(drawn(metric, tiled, [tiled_predicted], classes, 1000)[0])
    assert (narrow.high - narrow.low) / (around.high - around.low) == pytest.approx(1 / 4, rel=0.2)


@each_metric
def test_resampling_in_small_blocks_gives_the_same_numbers_and_a_twin_the_same(metric, classes, monkeypatch):
    gold, predicted = series(classes)
    three = np.concatenate([predicted, predicted[:1]])
    whole = drawn(metric, gold, three, classes, 50)
    monkeypatch.setattr(bootstrap, "_CELLS", 7 * 80)
    np.testing.assert_allclose(drawn(metric, gold, three, classes, 50), whole, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(whole[0], whole[2])
    assert whole.shape == (3, 50)


def test_label_sets_are_resampled_as_rows_written_out():
    rng = np.random.default_rng(0)
    gold, predicted = rng.random((60, 4)) < 0.3, rng.random((60, 4)) < 0.3
    draws = draw([gold, predicted], 30, 1, "v")
    found = resample([*LABEL_SETS.values()], gold, [predicted], 4, draws)[:, 0]
    rows_RN = [np.repeat(draws.first_U, t.astype(int)) for t in np.concatenate(list(draws.blocks()))]
    expected = [[m.evaluate(gold[rows], predicted[rows], 4) for rows in rows_RN] for m in LABEL_SETS.values()]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_a_sum_of_statistics_loses_no_digits_over_many_rows():
    tenths = np.full(1_000_000, 0.1)
    assert stacked(tenths, tenths).sum(axis=0)[0] == pytest.approx(100_000, rel=1e-15)


def test_a_division_by_zero_gives_the_agreed_value_without_a_warning():
    np.testing.assert_array_equal(divided(np.array([1, 2]), np.array([0, 4]), -7.0), [-7.0, 0.5])
