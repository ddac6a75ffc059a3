import numpy as np
import pytest

from mtl_cli.zeroshot.decide.calibration import Calibration, fit_temperature, negative_log_likelihood
from mtl_cli.zeroshot.decide.choice import AnyOf, OneOf


def drawn(rows=20_000, temperature=1.0, labels=3):
    """Logits, and labels drawn from softmax(logits / temperature)."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(rows, labels)) * 3
    p = OneOf().probabilities(logits / temperature)
    place = (p.cumsum(1) < rng.uniform(size=(rows, 1))).sum(1)
    return logits, np.eye(labels, dtype=bool)[np.minimum(place, labels - 1)]


def test_a_calibration_divides_and_then_shifts():
    logits = np.array([[4.0, 2.0]])
    assert Calibration(2.0, np.array([1.0, 0.0]))(logits).tolist() == [[3, 1]]
    assert Calibration(2.0, None)(logits).tolist() == [[2, 1]]


def test_the_negative_log_likelihood_by_hand():
    logits, has = np.log([[3.0, 1.0], [1.0, 1.0]]), np.array([[True, False], [False, True]])
    assert negative_log_likelihood(logits, has, OneOf()) == pytest.approx(-(np.log(0.75) + np.log(0.5)) / 2)
    # sigmoid(log 3) = 3/4, sigmoid(0) = 1/2
    by_label = -(np.log(0.75) + np.log(0.5) + np.log(0.5) + np.log(0.5)) / 4
    assert negative_log_likelihood(logits, has, AnyOf(0.5)) == pytest.approx(by_label)


@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0])
def test_the_temperature_that_labels_were_drawn_with_is_found(temperature):
    fitted = fit_temperature(*drawn(temperature=temperature), OneOf(), None)
    assert fitted.calibration.temperature == pytest.approx(temperature, rel=0.05)
    assert (fitted.calibration.shift_L, fitted.at_end) == (None, False)


def test_no_temperature_near_by_is_better():
    logits, has = drawn(500, 2.0)
    fitted = fit_temperature(logits, has, OneOf(), None)
    around = [negative_log_likelihood(logits / (fitted.calibration.temperature * f), has, OneOf()) for f in (0.9, 1.1)]
    assert fitted.nll <= min(around)


def test_rows_that_are_all_right_have_no_best_temperature_and_that_is_said():
    assert fit_temperature(np.array([[9.0, 0.0]]), np.array([[True, False]]), OneOf(), None).at_end


def test_a_prior_s_shift_is_found_anew_at_each_temperature():
    logits, has = drawn(500)
    fitted = fit_temperature(logits, has, OneOf(), lambda t: np.array([1 / t, 0.0, 0.0]))
    assert fitted.calibration.shift_L == pytest.approx([1 / fitted.calibration.temperature, 0, 0])


def test_several_labels_get_a_common_offset_too():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 2)) * 3 + 8  # as cosines are: never below 0
    has = rng.uniform(size=logits.shape) < AnyOf(0.5).probabilities((logits - 8) / 2 - 1)
    found = fit_temperature(logits, has, AnyOf(0.5), None).calibration
    assert found.temperature == pytest.approx(2, rel=0.05)
    assert found.shift_L == pytest.approx([-5, -5], rel=0.05)
