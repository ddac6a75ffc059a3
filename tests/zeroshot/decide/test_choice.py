import numpy as np
import pytest

from mtl_cli.zeroshot.decide.choice import AnyOf, Decided, OneOf, log_softmax

NAMES = ("a", "b", "c")


def test_the_log_softmax_of_large_logits_is_finite():
    assert log_softmax(np.array([[200.0, -200.0], [-2000.0, -2000.0]])) == pytest.approx(
        np.array([[0, -400], [-np.log(2), -np.log(2)]])
    )


def test_one_label_is_the_most_probable_and_the_first_of_equals():
    assert OneOf().decide(np.array([0.2, 0.5, 0.3]), NAMES) == Decided("b")
    assert OneOf().decide(np.array([0.4, 0.2, 0.4]), NAMES) == Decided("a")


@pytest.mark.parametrize(("least", "label"), [(0.5, "b"), (0.51, None)])
def test_a_top_probability_below_the_least_gets_no_label(least, label):
    assert OneOf(least).decide(np.array([0.2, 0.5, 0.3]), NAMES) == Decided(label)


def test_several_labels_are_those_that_reach_their_threshold_in_label_order():
    p = np.array([0.5, 0.49, 0.9])
    assert AnyOf(0.5).decide(p, NAMES) == Decided(None, ("a", "c"))
    assert AnyOf(0.95).decide(p, NAMES) == Decided(None, ())
    assert AnyOf(0.5, {"a": 0.6, "b": 0.4}).decide(p, NAMES) == Decided(None, ("b", "c"))


def test_several_labels_have_a_sigmoid_each_that_the_others_do_not_change():
    logits = np.array([[0.0, np.log(3), -800.0]])
    assert AnyOf(0.5).probabilities(logits) == pytest.approx(np.array([[0.5, 0.75, 0.0]]))
    assert AnyOf(0.5).probabilities(logits[:, 1:2]) == pytest.approx(np.array([[0.75]]))


def test_the_outcomes_of_several_labels_are_to_have_and_to_have_not():
    logits, has = np.array([[1.0, 2.0]]), np.array([[True, False]])
    assert AnyOf(0.5).grouped(logits).tolist() == [[[1, 0]], [[2, 0]]]
    assert AnyOf(0.5).outcomes(has).tolist() == [[0], [1]]
    assert AnyOf(0.5).by_label(np.array([[1.0, 0.5], [0.0, 2.0]])).tolist() == [0.5, -2.0]
    assert OneOf().grouped(logits).tolist() == [[[1, 2]]]
    assert OneOf().outcomes(has).tolist() == [[0]]


def test_shares_of_one_label_sum_to_1_and_of_several_stand_alone():
    assert OneOf().shares({"b": 0.2, "a": 0.8}, ("a", "b")).tolist() == [[0.8, 0.2]]
    assert AnyOf(0.5).shares({"b": 0.5, "a": 0.75}, ("a", "b")).tolist() == [[0.75, 0.25], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": 0.5}, "no share is given for b"),
        ({"a": 0.5, "b": 0.2, "z": 0.3}, "there is no label 'z'"),
        ({"a": 1.0, "b": 0.2}, "the share of 'a' must lie between 0 and 1; found 1"),
        ({"a": 0.0, "b": 0.2}, "the share of 'a' must lie between 0 and 1; found 0"),
        ({"a": 0.5, "b": 0.2}, "the shares must sum to 1, since a text has one label; they sum to 0.7"),
    ],
)
def test_shares_that_are_none_are_told(given, message):
    with pytest.raises(ValueError, match=message):
        OneOf().shares(given, ("a", "b"))


def test_equal_shares_of_several_labels_have_no_meaning():
    with pytest.raises(ValueError, match="'uniform' says nothing where a text may have several labels"):
        AnyOf(0.5).uniform(NAMES)
