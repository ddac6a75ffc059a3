"""Class labels: encoding, loss, decoding."""

import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from mtl_cli.tasks.kinds.classification import Classification

NLI = Classification(labels=["entailment", "neutral", "contradiction"])


@pytest.mark.parametrize(
    ("value", "index"),
    [("entailment", 0), ("contradiction", 2), (" neutral ", 1), (0, 0), (2, 2), ("1", 1), (2.0, 2), ("0", 0)],
)
def test_a_label_may_be_a_name_or_an_id(value, index):
    assert NLI.encode(value) == index


@pytest.mark.parametrize("value", [None, "", "  ", -1, "-1", -1.0, math.nan])
def test_null_empty_and_minus_one_are_no_label(value):
    assert math.isnan(NLI.encode(value))


@pytest.mark.parametrize("value", ["entails", 3, "3", -2, 1.5, math.inf, "²", "Neutral", [0]])
def test_an_unknown_label_is_refused_with_what_is_allowed(value):
    with pytest.raises(
        ValueError, match=r"outside the label set: entailment, neutral, contradiction or an id from 0 to 2"
    ):
        NLI.encode(value)


def test_a_label_with_a_typing_mistake_gets_the_closest_name():
    with pytest.raises(ValueError, match=r"label 'entailmnt' .*Did you mean 'entailment'"):
        NLI.encode("entailmnt")


def test_true_and_false_are_names_if_there_are_such_and_ids_else():
    named = Classification(labels=["True", "False"])
    assert (named.encode(True), named.encode(False)) == (0, 1)
    plain = Classification(labels=["no", "yes"])
    assert (plain.encode(True), plain.encode(False)) == (1, 0)


def test_names_that_are_numbers_are_never_taken_for_ids():
    stars = Classification(labels=["1", "2", "3"])
    assert [stars.encode(v) for v in (1, "2", 3.0)] == [0, 1, 2]
    with pytest.raises(ValueError, match=r"label 0 is outside the label set: 1, 2, 3\.$"):
        stars.encode(0)


def test_minus_one_is_a_class_where_it_is_a_name():
    signs = Classification(labels=["-1", "1"])
    assert (signs.encode(-1), signs.encode("1")) == (0, 1)
    assert math.isnan(signs.encode(""))


@pytest.mark.parametrize(
    ("labels", "message"), [(["one"], "at least two classes"), (["a", "b", "a", "b", "c"], "'a', 'b' more than once")]
)
def test_a_label_set_needs_two_different_names(labels, message):
    with pytest.raises(ValueError, match=message):
        Classification(labels=labels)


def test_the_head_has_one_output_a_class_in_the_order_of_the_names():
    assert NLI.head.size == 3
    assert NLI.classes == ("entailment", "neutral", "contradiction")


def test_loss_is_the_negative_log_probability_of_each_row():
    out = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    gold = np.array([0, 1, 2, 2, 1, 0, 1])
    found = NLI.loss(torch.tensor(out), torch.tensor(gold, dtype=torch.float32))
    assert found.tolist() == pytest.approx(-log_softmax(out, axis=1)[np.arange(7), gold], abs=1e-6)


def test_loss_of_half_precision_outputs_is_computed_in_single_precision():
    out = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.bfloat16)
    expected = math.log(1 + math.exp(-1) + math.exp(-2))
    assert NLI.loss(out, torch.tensor([0.0])).item() == pytest.approx(expected, rel=1e-6)


def test_decoding_gives_the_most_probable_class_and_all_probabilities():
    out = np.array([[1.0, 2.0, 0.0], [1000.0, 0.0, -1000.0]], np.float32)
    decoded = NLI.decode(out)
    assert decoded.prediction_N.tolist() == [1, 0]
    assert decoded.scores_NC == pytest.approx(softmax(out.astype(np.float64), axis=1))


def test_decoding_leaves_the_outputs_as_they_were():
    out = np.array([[1.0, 2.0, 0.0]])
    NLI.decode(out)
    assert out.tolist() == [[1.0, 2.0, 0.0]]


def test_what_is_shown_of_a_label_can_be_read_again():
    assert [NLI.encode(NLI.shown(float(i))) for i in range(3)] == [0, 1, 2]
    assert NLI.shown(math.nan) is None


MERGE = {"neutral": "not_entailment", "contradiction": "not_entailment"}
TWO = Classification(labels=["entailment", "neutral", "contradiction"], merge=MERGE)


def test_merged_labels_are_one_class_in_order_of_first_appearance():
    assert TWO.classes == ("entailment", "not_entailment")
    assert TWO.head.size == 2
    first = Classification(labels=["contradiction", "entailment", "neutral"], merge=MERGE)
    assert first.classes == ("not_entailment", "entailment")


@pytest.mark.parametrize(
    ("value", "index"),
    [
        ("entailment", 0),
        ("neutral", 1),
        ("contradiction", 1),
        (0, 0),
        (1, 1),
        ("2", 1),
        (2.0, 1),
        ("not_entailment", 1),
    ],
)
def test_a_raw_label_is_read_by_the_labels_and_counts_as_its_class(value, index):
    assert TWO.encode(value) == index


@pytest.mark.parametrize("value", [3, "3", "not", "not entailment"])
def test_merging_allows_no_other_labels(value):
    with pytest.raises(
        ValueError, match=r"outside the label set: entailment, neutral, contradiction or an id from 0 to 2"
    ):
        TWO.encode(value)


def test_predictions_of_merged_labels_are_classes_that_can_be_read_again():
    decoded = TWO.decode(np.array([[1.0, 2.0], [3.0, 0.0]], np.float32))
    assert [TWO.shown(p) for p in decoded.prediction_N] == ["not_entailment", "entailment"]
    assert decoded.scores_NC == pytest.approx(softmax([[1.0, 2.0], [3.0, 0.0]], axis=1))
    assert [TWO.encode(TWO.shown(float(i))) for i in range(2)] == [0, 1]


def test_a_label_may_be_merged_into_another_one():
    stars = Classification(labels=["1", "2", "3"], merge={"2": "1"})
    assert stars.classes == ("1", "3")
    assert [stars.encode(v) for v in (1, 2, 3)] == [0, 0, 1]


def test_true_and_false_may_be_merged():
    kind = Classification(labels=["False", "True", "maybe"], merge={"maybe": "False"})
    assert [kind.encode(v) for v in (True, False, "maybe")] == [1, 0, 0]


@pytest.mark.parametrize(
    ("merge", "message"),
    [
        ({"neutrl": "x"}, r"merge names 'neutrl', which is no label. Did you mean 'neutral'\?"),
        ({"neutral": "contradiction", "contradiction": "x"}, "makes 'neutral' 'contradiction', which is merged itself"),
        (dict.fromkeys(NLI.classes, "x"), "merge leaves one class, 'x'"),
    ],
)
def test_a_merge_that_means_nothing_is_refused(merge, message):
    with pytest.raises(ValueError, match=message):
        Classification(labels=list(NLI.classes), merge=merge)


def test_what_labels_are_read_as_depends_on_order_and_merging_and_is_plain_where_nothing_is_merged():
    assert NLI.reading == list(NLI.classes)
    other = Classification(labels=["entailment", "contradiction", "neutral"], merge={"neutral": "contradiction"})
    same_classes = Classification(labels=["entailment", "contradiction"])
    assert other.classes == same_classes.classes
    assert len({str(kind.reading) for kind in (NLI, TWO, other, same_classes)}) == 4
