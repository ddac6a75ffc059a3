import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from mtl_cli.metrics.regression import MeanAbsoluteError, Pearson, RootMeanSquaredError, Spearman

ALL = [Pearson(), Spearman(), RootMeanSquaredError(), MeanAbsoluteError()]
REFERENCE = {
    Pearson: lambda g, p: pearsonr(g, p).statistic,
    Spearman: lambda g, p: spearmanr(g, p).statistic,
    RootMeanSquaredError: root_mean_squared_error,
    MeanAbsoluteError: mean_absolute_error,
}


def series(seed, rows=47):
    rng = np.random.default_rng(seed)
    gold = rng.uniform(0, 5, rows)
    return gold, gold + rng.normal(0, 1.5, rows)


@pytest.mark.parametrize("metric", ALL, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("seed", range(4))
def test_random_series_score_as_in_scipy_and_scikit_learn(metric, seed):
    gold, predicted = series(seed)
    assert metric.evaluate(gold, predicted, 0) == pytest.approx(REFERENCE[type(metric)](gold, predicted), abs=1e-12)


@pytest.mark.parametrize("metric", ALL, ids=lambda m: type(m).__name__)
def test_ties_score_as_in_scipy_and_scikit_learn(metric):
    gold, predicted = (np.round(s) for s in series(9))
    assert metric.evaluate(gold, predicted, 0) == pytest.approx(REFERENCE[type(metric)](gold, predicted), abs=1e-12)


@pytest.mark.parametrize("metric", [Pearson(), Spearman()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("constant", [0.0, 0.1, 1234.567, 1e9 / 3])
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 49])
def test_a_correlation_with_constant_predictions_is_not_defined(metric, constant, rows):
    gold = 1000.0 * np.arange(rows)
    assert np.isnan(metric.evaluate(gold, np.full(rows, constant), 0))
    assert np.isnan(metric.evaluate(np.full(rows, constant), gold, 0))


@pytest.mark.parametrize("metric", [Pearson(), Spearman()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e6])
def test_a_correlation_does_not_depend_on_the_unit(metric, unit):
    gold, predicted = series(3)
    assert metric.evaluate(gold * unit, predicted * unit, 0) == pytest.approx(
        metric.evaluate(gold, predicted, 0), abs=1e-9
    )


@pytest.mark.parametrize("metric", [Pearson(), Spearman()], ids=lambda m: type(m).__name__)
def test_a_correlation_stays_within_one(metric):
    gold = np.random.default_rng(0).random((300, 5))
    for gold_N in gold:
        times_RN = np.random.default_rng(1).multinomial(5, [0.2] * 5, size=50).astype(float)
        found = metric.resampled(times_RN, metric.statistics(gold_N, 3 * gold_N + 0.1, 0))
        assert np.nanmax(found) <= 1.0
        np.testing.assert_allclose(found[~np.isnan(found)], 1.0)


def test_spearman_looks_at_the_order_alone():
    gold = np.array([0.1, 5.0, 2.0, 3.3])
    assert Spearman().evaluate(gold, np.exp(3 * gold), 0) == pytest.approx(1.0)
    assert Spearman().evaluate(gold, -(gold**3), 0) == pytest.approx(-1.0)


def test_errors_worked_out_by_hand():
    gold, predicted = np.array([0.0, 0.0]), np.array([3.0, -4.0])
    assert RootMeanSquaredError().evaluate(gold, predicted, 0) == pytest.approx(np.sqrt(12.5))
    assert MeanAbsoluteError().evaluate(gold, predicted, 0) == pytest.approx(3.5)


def test_errors_are_better_when_lower_and_correlations_when_higher():
    assert [m.higher_is_better for m in ALL] == [True, True, False, False]


@pytest.mark.parametrize("metric", ALL, ids=lambda m: type(m).__name__)
def test_a_metric_of_numbers_is_refused_for_classes(metric):
    with pytest.raises(ValueError, match=r"is for numbers; this task predicts classes$"):
        metric.check("classes", 2)
    metric.check("numbers", 0)


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e9])
def test_a_correlation_of_a_resample_loses_no_digits_far_from_zero(offset):
    rng = np.random.default_rng(0)
    gold = np.append(np.round(rng.normal(size=60), 3), 1e6)  # an outlier, which a third of the resamples do not hold
    predicted = gold + np.append(np.round(rng.normal(size=60), 3), 0)
    times_RN = rng.multinomial(61, [1 / 61] * 61, size=200)
    found = Pearson().resampled(times_RN.astype(float), Pearson().statistics(gold + offset, predicted + offset, 0))
    rows_RN = [np.repeat(np.arange(61), times_N) for times_N in times_RN]
    np.testing.assert_allclose(found, [pearsonr(gold[r], predicted[r]).statistic for r in rows_RN], atol=1e-6)


@pytest.mark.parametrize("metric", [Pearson(), Spearman()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9 / 3])
def test_a_resample_of_equal_labels_has_no_correlation(metric, constant):
    gold = np.append(np.full(40, constant), constant + 1.0)
    statistics = metric.statistics(gold, np.random.default_rng(0).normal(size=41), 0)
    without, once = np.append(np.random.default_rng(1).multinomial(41, [1 / 40] * 40), 0), np.ones(41)
    found = metric.resampled(np.stack([without, once]).astype(float), statistics)
    assert np.isnan(found).tolist() == [True, False]


@pytest.mark.parametrize("digits", [0, 9])
def test_ranks_of_a_resample_are_those_of_scipy_with_and_without_ties(digits):
    gold, predicted = (np.round(numbers, digits) for numbers in series(4))
    times_RN = np.random.default_rng(0).multinomial(47, [1 / 47] * 47, size=30)
    found = Spearman().resampled(times_RN.astype(float), Spearman().statistics(gold, predicted, 0))
    rows_RN = [np.repeat(np.arange(47), times_N) for times_N in times_RN]
    expected = [spearmanr(gold[rows], predicted[rows]).statistic for rows in rows_RN]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
