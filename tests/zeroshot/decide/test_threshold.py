import numpy as np
import pytest

from mtl_cli.zeroshot.decide.threshold import best_precision, least_rows, precision_threshold


@pytest.mark.parametrize(
    ("target", "confidence", "rows"), [(0.5, 0.5, 1), (0.5, 0.75, 2), (0.9, 0.9, 22), (0.95, 0.9, 45), (0.95, 0.95, 59)]
)
def test_so_many_right_rows_show_a_precision(target, confidence, rows):
    assert least_rows(target, confidence) == rows
    assert target**rows <= 1 - confidence + 1e-9 < target ** (rows - 1) + 1e-8


@pytest.mark.parametrize(("rows", "found"), [(21, None), (22, 0.5)])
def test_rows_that_are_all_right_are_enough_from_the_least_number_on(rows, found):
    assert precision_threshold(np.full(rows, 0.5), np.ones(rows, bool), 0.9, 0.9) == found


def test_the_threshold_is_the_lowest_that_will_do():
    # 3 of 4 right: P(at least 3 of 4 | p) = 4 p^3 - 3 p^4 is 0.5 at p = 0.614, the lower bound at confidence 0.5.
    top, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, True, False])
    assert precision_threshold(top, right, 0.61, 0.5) == 0.6
    assert precision_threshold(top, right, 0.62, 0.5) == 0.7


def test_rows_of_one_probability_are_answered_together():
    top, right = np.array([0.9, 0.5, 0.5]), np.array([True, True, False])
    assert precision_threshold(top, right, 0.45, 0.5) == 0.5
    # The first two alone would reach 0.7; the third, as probable as the second, goes with it.
    assert precision_threshold(top, right, 0.6, 0.5) is None
    assert precision_threshold(top[[0, 2, 1]], right[[0, 2, 1]], 0.6, 0.5) is None


def test_the_order_of_the_rows_changes_nothing():
    rng = np.random.default_rng(0)
    top, order = rng.uniform(size=200), rng.permutation(200)
    right = rng.uniform(size=200) < top
    found = precision_threshold(top, right, 0.8, 0.9)
    assert found is not None
    assert precision_threshold(top[order], right[order], 0.8, 0.9) == found


def test_there_may_be_no_threshold():
    assert precision_threshold(np.array([0.9, 0.8]), np.array([False, False]), 0.5, 0.9) is None
    assert precision_threshold(np.array([]), np.array([], bool), 0.5, 0.9) is None


def test_precision_on_new_rows_keeps_the_promise_about_as_often_as_said():
    rng = np.random.default_rng(0)
    kept = 0
    for _ in range(200):
        top = rng.uniform(size=200)
        found = precision_threshold(top, rng.uniform(size=200) < top, 0.8, 0.9)
        # Above t, rows are right with probability (1 + t) / 2.
        kept += found is None or (1 + found) / 2 >= 0.8
    assert kept >= 150


def test_the_best_precision_is_reached_and_nothing_above_it():
    # All of k right: p^k = 0.5, so 0.5 for one row, 0.707 for two; with one wrong of three, 4-row bound as above.
    top, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, False])
    found = best_precision(top, right, 0.5)
    assert (found.precision, found.right, found.answered) == (pytest.approx(0.5**0.5), 2, 2)
    assert precision_threshold(top, right, found.precision, 0.5) == 0.8
    assert precision_threshold(top, right, found.precision + 1e-9, 0.5) is None


def test_rows_of_one_probability_reach_the_best_precision_together():
    found = best_precision(np.array([0.9, 0.5, 0.5]), np.array([False, True, False]), 0.5)
    assert (found.right, found.answered) == (1, 3)
    assert best_precision(np.array([0.9, 0.5]), np.array([False, False]), 0.5).precision == 0
