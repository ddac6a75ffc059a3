import numpy as np
import pytest

from mtl_cli.metrics.calibration import Coverage, coverage_curve, expected_calibration_error


def test_the_error_by_hand():
    p, right = np.array([0.9, 0.6, 0.8, 0.7]), np.array([True, False, False, True])
    # bins {0.6, 0.7}: 0.65 against 1/2; {0.8, 0.9}: 0.85 against 1/2
    assert expected_calibration_error(p, right, bins=2) == pytest.approx((0.15 + 0.35) / 2)
    assert expected_calibration_error(p, right, bins=1) == pytest.approx(0.25)
    # a bin a row
    assert expected_calibration_error(p, right) == pytest.approx((0.6 + 0.3 + 0.8 + 0.1) / 4)


def test_bins_differ_by_one_row_at_most_and_count_by_their_rows():
    p, right = np.array([0.1, 0.2, 0.9]), np.array([True, False, True])
    assert expected_calibration_error(p, right, bins=2) == pytest.approx((2 * abs(0.15 - 0.5) + 0.1) / 3)


def test_rows_of_equal_probability_do_not_depend_on_their_order():
    p, right = np.full(6, 0.5), np.array([True, True, True, False, False, False])
    for order in ([0, 1, 2, 3, 4, 5], [0, 3, 1, 4, 2, 5], [5, 4, 3, 2, 1, 0]):
        assert expected_calibration_error(p, right[order], bins=3) == pytest.approx(0)


def test_probabilities_that_are_right_that_often_have_a_small_error():
    rng = np.random.default_rng(0)
    p = rng.uniform(size=50_000)
    assert expected_calibration_error(p, rng.uniform(size=50_000) < p) < 0.02
    assert expected_calibration_error(p, rng.uniform(size=50_000) < p**3) > 0.2


def test_no_rows_have_no_error():
    assert np.isnan(expected_calibration_error(np.array([]), np.array([])))


def test_the_curve_goes_from_the_most_certain_rows_to_all():
    p, right = np.array([0.5, 0.9, 0.7, 0.7]), np.array([False, True, True, False])
    assert coverage_curve(p, right) == [
        Coverage(0.9, 1, 0.25, 1.0),
        Coverage(0.7, 3, 0.75, pytest.approx(2 / 3)),
        Coverage(0.5, 4, 1.0, 0.5),
    ]
    assert coverage_curve(np.array([]), np.array([])) == []
