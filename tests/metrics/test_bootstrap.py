import math

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap

from mtl_cli.metrics.bootstrap import Interval, draw, interval, standard_error
from mtl_cli.metrics.classification import Accuracy, MacroF1, Matthews
from mtl_cli.metrics.regression import MeanAbsoluteError, Pearson, RootMeanSquaredError, Spearman
from mtl_cli.metrics.scorer import score_set


def times(draws):
    return np.concatenate(list(draws.blocks()))


def test_equal_rows_are_drawn_as_one_in_the_order_of_the_columns():
    draws = draw([np.array([1, 0, 1, 0, 1.0, 1]), np.array([2, 5, 2, 5, 0.0, 2])], 50, 0, "v")
    assert (draws.first_U.tolist(), draws.alike_U.tolist()) == ([1, 4, 0], [2, 1, 3])
    assert times(draws).shape == (50, 3)
    assert (times(draws).sum(1) == 6).all()


def test_rows_that_mostly_differ_are_drawn_one_by_one():
    draws = draw([np.array([1, 1, 2, 3.0])], 50, 0, "v")
    assert draws.first_U.tolist() == [0, 1, 2, 3]
    assert (times(draws).sum(1) == 4).all()


@pytest.mark.parametrize("column", [np.arange(40) % 4, np.arange(40)], ids=["merged", "one by one"])
def test_each_row_is_drawn_once_on_average_with_the_variance_of_a_multinomial(column):
    draws = draw([column], 20_000, 0, "v")
    share_U = draws.alike_U / 40
    np.testing.assert_allclose(times(draws).mean(0), draws.alike_U, rtol=0.05)
    np.testing.assert_allclose(times(draws).var(0), 40 * share_U * (1 - share_U), rtol=0.08)


def test_rows_of_label_sets_merge_and_those_of_objects_do_not():
    sets = np.array([[True, False], [True, False], [False, True], [True, False]])
    assert draw([sets, sets], 5, 0, "v").alike_U.tolist() == [1, 3]
    spans = np.empty(4, object)
    spans[:] = [((0, 1),), ((0, 1),), (), ()]
    assert draw([spans], 5, 0, "v").alike_U.tolist() == [1, 1, 1, 1]


def test_codes_of_many_columns_do_not_overflow():
    columns = np.random.default_rng(0).integers(0, 50, (30, 20))
    assert draw([np.tile(columns, 3).T], 5, 0, "v").alike_U.tolist() == [3] * 20


def test_draws_follow_from_seed_and_name_alone():
    column = np.arange(30)
    whole = times(draw([column], 20, 1, "a"))
    np.testing.assert_array_equal(times(draw([column[::-1]], 20, 1, "a")), whole)
    assert (times(draw([column], 20, 2, "a")) != whole).any()
    assert (times(draw([column], 20, 1, "b")) != whole).any()


def test_an_interval_leaves_out_what_is_not_defined():
    assert interval(np.array([math.nan, *range(201)])) == Interval(5.0, 195.0)
    assert interval(np.full(3, math.nan)) == Interval(None, None)


def test_a_standard_error_is_that_of_theory_and_of_an_independent_library():
    right = np.random.default_rng(0).random(500) < 0.7
    found = standard_error(times(draw([right], 5000, 0, "v"))[:, 1] / 500)
    assert found == pytest.approx((right.mean() * (1 - right.mean()) / 500) ** 0.5, rel=0.05)
    theirs = scipy_bootstrap((right,), np.mean, n_resamples=5000, random_state=0, method="percentile")
    assert found == pytest.approx(theirs.standard_error, rel=0.05)
    assert math.isnan(standard_error(np.array([1.0, math.nan])))


CLASSES = {"accuracy": Accuracy(), "macro_f1": MacroF1(), "matthews": Matthews()}
NUMBERS = {"pearson": Pearson(), "spearman": Spearman(), "rmse": RootMeanSquaredError(), "mae": MeanAbsoluteError()}

# Value and interval that each metric had when it resampled on its own: a seed goes on giving the same numbers.
SAME_AT_A_SEED = {
    "accuracy": (0.766, 0.728, 0.802),
    "macro_f1": (0.7674115416228867, 0.72798623279052, 0.8019470391931373),
    "matthews": (0.719339218796858, 0.6739028824724232, 0.7624697775791718),
    "pearson": (0.8021784767766154, 0.6350084475275843, 0.904654793503943),
    "spearman": (0.7943869871543204, 0.5575245909907349, 0.9163539615242043),
    "rmse": (1.3969311082697624, 1.0153565326562077, 1.8254067815580803),
    "mae": (1.0635819656333334, 0.7729975797800003, 1.426731764115),
}


def test_a_seed_gives_the_intervals_that_it_always_gave():
    rng = np.random.default_rng(500)
    gold = rng.integers(0, 6, 500)
    predicted = np.where(rng.random(500) < 0.7, gold, rng.integers(0, 6, 500))
    scores = score_set(CLASSES, "validation", gold.astype(float), predicted.astype(float), 6, 1000, 1)
    rng = np.random.default_rng(30)
    numbers = np.round(rng.uniform(0, 5, 30), 1)
    scores += score_set(NUMBERS, "validation", numbers, np.round(numbers + rng.normal(0, 1.5, 30), 9), 0, 1000, 1)
    for score in scores:
        assert (score.value, score.low, score.high) == pytest.approx(SAME_AT_A_SEED[score.metric], rel=1e-12)
