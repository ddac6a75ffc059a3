"""Numeric labels: encoding, scaling, loss, decoding."""

import json
import math

import numpy as np
import pytest
import torch

from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.kinds.regression import Regression
from tests.fakes import single_B
from tests.tasks.kinds.columns import labels_of, targets

TARGETS = np.array([1.0, 2.0, math.nan, 4.0, 5.0], np.float32)


NUMBERS = Regression(scale="none")


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3.0), ("4.5", 4.5), (0, 0.0), ("-1e2", -100.0), (-1, -1.0), (" 4.5\u00a0", 4.5), ("\ufeff+1.", 1.0), (np.float32(0.5), 0.5)],
)  # fmt: skip
def test_a_label_is_a_number_or_its_text(value, number):
    assert labels_of(NUMBERS, [value]) == [number]


@pytest.mark.parametrize("value", [None, "", " ", math.nan, np.float32("nan"), "nan"])
def test_null_nan_and_empty_are_no_label(value):
    assert labels_of(NUMBERS, [value]) == [None]


@pytest.mark.parametrize("value", ["high", "inf", math.inf, [1.0], "1,5", "1_0", "1e999", True, "true"])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(ValueError, match="is not a finite number"):
        labels_of(NUMBERS, [value])


@pytest.mark.parametrize(
    ("value", "remedy"),
    [("1,5", "label '1,5' is not a finite number: write a decimal point, not a comma"), (True, "true and false are two classes")],
)  # fmt: skip
def test_a_refused_number_comes_with_what_to_do(value, remedy):
    with pytest.raises(ValueError, match=remedy):
        labels_of(NUMBERS, [value])


@pytest.mark.parametrize("value", [1e39, "-1e300", "3.5e38"])
def test_what_a_32_bit_float_cannot_hold_is_refused(value):
    with pytest.raises(
        ValueError, match=r"is beyond 3\.40282e\+38, the largest 32-bit float: write it in a larger unit"
    ):
        Regression().column().code(value)


@pytest.mark.parametrize("value", [-1, "-1", -1.0, " -1.0 "])
def test_the_number_that_is_no_label_may_be_written_in_any_way(value):
    assert labels_of(Regression(missing=-1), [value]) == [None]


@pytest.mark.parametrize(
    ("scale", "shift", "width"),
    # mean 3, variance (4 + 1 + 1 + 4) / 4 = 2.5; least 1, most 5
    [("standard", 3.0, math.sqrt(2.5)), ("range", 1.0, 4.0), ("none", 0.0, 1.0)],
)
def test_the_scale_is_that_of_the_labelled_training_targets(scale, shift, width):
    assert Regression(scale=scale).fitted(targets(TARGETS)).state() == {
        "shift": pytest.approx(shift),
        "width": pytest.approx(width),
    }


@pytest.mark.parametrize(
    ("scale", "losses"),
    [("standard", [1.6, 0.4, 0.4, 1.6]), ("range", [0, 1 / 16, 9 / 16, 1]), ("none", [1, 4, 16, 25])],
)
def test_loss_is_the_squared_error_of_scaled_targets(scale, losses):
    kind = Regression(scale=scale).fitted(targets(TARGETS))
    found = kind.loss(Column(torch.zeros(4, 1)), single_B([1.0, 2.0, 4.0, 5.0]))
    assert found.tolist() == pytest.approx(losses, rel=1e-6)


def test_a_constant_guess_of_the_mean_has_loss_one_in_standard_scale():
    known = np.random.default_rng(0).gamma(2.0, 30.0, 500).astype(np.float32)
    kind = Regression(scale="standard").fitted(targets(known))
    assert kind.loss(Column(torch.zeros(500, 1)), single_B(known)).mean().item() == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("scale", ["standard", "range", "none"])
def test_outputs_with_no_loss_decode_to_the_targets_themselves(scale):
    kind = Regression(scale=scale).fitted(targets(TARGETS))
    known = np.array([1.0, 2.0, 4.0, 5.0])
    out = (known - kind.state()["shift"]) / kind.state()["width"]
    assert kind.loss(
        Column(torch.tensor(out)[:, None]), {"label": Column(torch.tensor(known))}
    ).tolist() == pytest.approx([0] * 4, abs=1e-10)
    decoded = kind.decode(Column(out[:, None]), {})
    assert decoded.values_N == pytest.approx(known)
    assert decoded.scores is None


def test_a_saved_scale_goes_through_json_and_back():
    kind = Regression(scale="standard").fitted(targets(TARGETS))
    again = Regression(scale="standard").restored(json.loads(json.dumps(kind.state())))
    out = Column(np.array([[0.3], [-2.0]]))
    assert again.decode(out, {}).values_N.tolist() == kind.decode(out, {}).values_N.tolist()


def test_fitting_leaves_the_first_object_alone():
    kind = Regression(scale="range")
    kind.fitted(targets(TARGETS))
    assert kind.state() == {"shift": 0.0, "width": 1.0}


@pytest.mark.parametrize("scale", ["standard", "range"])
def test_targets_that_are_all_equal_are_refused(scale):
    with pytest.raises(ValueError, match=r"all 7 training targets are 0\.1: there is nothing to learn"):
        Regression(scale=scale).fitted(targets(np.full(7, 0.1)))


def test_a_split_without_labels_keeps_the_scale():
    assert Regression(scale="standard").fitted(targets(np.full(3, math.nan))).state() == {"shift": 0.0, "width": 1.0}


def test_a_value_is_shown_without_the_noise_of_single_precision():
    kind = Regression(scale="none")
    assert kind.shown(float(np.float32(3.4))) == 3.4
    assert kind.shown(math.nan) is None


def test_there_is_one_output_and_no_class():
    assert Regression(scale="none").head.size == 1
    assert Regression(scale="none").classes == ()


def test_what_labels_are_read_as_depends_on_the_number_that_is_no_label():
    assert Regression(missing=-1).signature != Regression().signature
    assert Regression(scale="none").signature == Regression(scale="range").signature
