"""Class labels: encoding, loss, decoding."""

import math
from decimal import Decimal

import numpy as np
import pyarrow
import pytest
import torch
from scipy.special import log_softmax, softmax

from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.kinds.column import AmbiguousLabelsError
from tests.fakes import single_B
from tests.tasks.kinds.columns import labels_of, read

NLI = Classification(labels=["entailment", "neutral", "contradiction"])


@pytest.mark.parametrize(
    ("values", "indices"),
    [
        (["entailment", "contradiction", " neutral "], [0, 2, 1]), ([0, 2, "1", 2.0, "0", " 1 ", "2.0", "2."], [0, 2, 1, 2, 0, 1, 2, 2]),
        (["neu\u200btral", "\ufeffneutral\u00a0", "neutral\u3000"], [1, 1, 1]),
        ([np.int64(1), np.float32(2), np.str_("0"), pyarrow.scalar(1), Decimal("2"), Decimal("2.00"), "+1"], [1, 2, 0, 1, 2, 2, 1]),
    ],
)  # fmt: skip
def test_labels_are_names_or_ids_however_they_are_written(values, indices):
    assert labels_of(NLI, values) == indices


@pytest.mark.parametrize("value", [None, "", "  ", math.nan, "\u200b", "\u00a0", Decimal("NaN"), np.float64("nan")])
def test_null_nan_and_empty_are_no_label(value):
    reading, labels = read(NLI, ["neutral", value])
    assert (reading.values, reading.no_label, labels[0], math.isnan(labels[1])) == ("names", {}, 1, True)


@pytest.mark.parametrize(
    "value", ["entails", 3, "3", -2, 1.5, math.inf, "²", "Neutral", [0], {"a": 1}, "1,0", "1_0", "１"]
)
def test_an_unknown_label_is_refused_with_what_is_allowed(value):
    with pytest.raises(
        ValueError, match=r"outside the label set: entailment, neutral, contradiction or an id from 0 to 2"
    ):
        labels_of(NLI, [value])


def test_nan_as_a_text_is_no_label_unless_it_is_a_name():
    assert labels_of(NLI, ["neutral", "NaN", "nan "]) == [1, None, None]
    assert read(NLI, ["neutral", "NaN"])[0].no_label == {"NaN": 1}
    assert labels_of(Classification(labels=["nan", "roti"]), ["nan", "roti", math.nan]) == [0, 1, None]


def test_bytes_are_text():
    assert labels_of(NLI, [b"neutral"]) == [1]


def test_a_label_with_a_typing_mistake_gets_the_closest_name():
    with pytest.raises(ValueError, match=r"label 'entailmnt' .*Did you mean 'entailment'"):
        labels_of(NLI, ["entailmnt"])


def test_a_label_that_looks_like_a_known_one_is_refused_with_the_code_points_of_both():
    with pytest.raises(ValueError, match=r"looks like 'neutral' .*: U\+006E U\+0435 .*, not U\+006E U\+0065 "):
        labels_of(NLI, ["n\u0435utral"])


def test_composed_and_decomposed_letters_are_one_label():
    kind = Classification(labels=["caf\u00e9", "th\u00e9"])
    assert labels_of(kind, ["cafe\u0301", "the\u0301", "caf\u00e9"]) == [0, 1, 0]


def test_ids_that_begin_at_one_are_refused_with_the_option_that_reads_them():
    with pytest.raises(ValueError, match=r"label 3 is outside .* If the ids begin at 1: kind\.ids=\[1,2,3\]"):
        labels_of(NLI, [1, 3])
    assert labels_of(Classification(labels=list(NLI.classes), ids=["1", "2", "3"]), [1, 3, "2"]) == [0, 2, 1]


THREE, TWO_SIGNS = Classification(labels=["neg", "neu", "pos"]), Classification(labels=["neg", "pos"])


def test_minus_one_is_no_label_where_it_can_be_no_class():
    assert labels_of(NLI, [-1, -1.0, "-1"]) == [None] * 3
    assert labels_of(NLI, [0, -1, 1, 2]) == [0, None, 1, 2]
    assert labels_of(TWO_SIGNS, [-1, 0, 1]) == [None, 0, 1]
    assert labels_of(NLI, ["neutral", "-1", "entailment", "contradiction"]) == [1, None, 0, 2]
    assert labels_of(Classification(labels=["neg", "neu", "pos"], missing="-1"), [0, -1]) == [0, None]
    assert read(NLI, [0, -1, 1, 2, -1])[0].no_label == {"-1": 2}


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (THREE, [-1, 0, 1, 1], r"-1 is neg \(1 row\), 0 is neu \(1 row\), 1 is pos \(2 rows\); as ids, 0 is neg \(1 row\), 1 is neu "
         r"\(2 rows\), and -1 is not a label \(1 row\)\. .*kind\.ids=\[-1,0,1\] or kind\.missing=-1"),
        (THREE, ["-1", "0"], r"kind\.ids=\[-1,0,1\] or kind\.missing=-1"),
        (TWO_SIGNS, [-1.0, 1.0], r"-1 is neg \(1 row\), 1 is pos .*kind\.ids=\[-1,1\] or kind\.missing=-1"),
        (TWO_SIGNS, [-1, 0], r"kind\.ids=\[-1,0\] or kind\.missing=-1"),
        (TWO_SIGNS, ["-1", "neg"], r"as names, neg is neg \(1 row\), and -1 is not a label \(1 row\)\. .*set kind\.missing=-1"),
    ],
)  # fmt: skip
def test_minus_one_that_may_be_a_class_is_refused_with_both_readings_and_their_rows(kind, values, message):
    with pytest.raises(AmbiguousLabelsError, match=message):
        read(kind, values)


def test_the_raw_value_of_each_label_may_be_given():
    kind = Classification(labels=["neg", "neu", "pos"], ids=["-1", "0", "1"])
    assert labels_of(kind, [-1, "0", 1.0, "1.0", None]) == [0, 1, 2, 2, None]
    with pytest.raises(
        ValueError, match=r"label 2 is outside the label set: -1 \(neg\), 0 \(neu\), 1 \(pos\), as kind\.ids says"
    ):
        labels_of(kind, [2])
    with pytest.raises(ValueError, match="label 'neg' is outside"):
        labels_of(kind, ["neg"])


BOOLEANS = [True, False, "True", "False", "TRUE", "false", " true ", np.bool_(False)]


@pytest.mark.parametrize(
    ("labels", "indices"),
    [(["negative", "positive"], [1, 0, 1, 0, 1, 0, 1, 0]), (["true", "False"], [0, 1, 0, 1, 0, 1, 0, 1])],
)
def test_true_and_false_are_names_if_there_are_such_and_ids_else(labels, indices):
    assert labels_of(Classification(labels=labels), BOOLEANS) == indices


@pytest.mark.parametrize(
    "labels", [["yes", "no"], ["entailment", "not_entailment"], ["positive", "other"], ["good", "Bad"]]
)
def test_booleans_that_the_names_speak_against_are_refused_with_both_readings(labels):
    first, second = labels
    with pytest.raises(
        AmbiguousLabelsError,
        match=rf"true is {second} \(1 row\).*by their names, true is {first}.*kind\.ids=\[true,false\]",
    ):
        read(Classification(labels=labels), [True, False])
    assert labels_of(Classification(labels=labels, values="ids"), [True, "false"]) == [1, 0]
    assert labels_of(Classification(labels=labels, ids=[True, False]), ["TRUE", False]) == [0, 1]


@pytest.mark.parametrize("values", [[0, 1], ["1"], [0.0]])
def test_zero_and_one_for_true_and_false_in_this_order_are_refused(values):
    with pytest.raises(
        AmbiguousLabelsError, match=r"by their names, 1 is True and 0 is false\. .*ids=\[0,1\] or kind\.ids=\[1,0\]"
    ):
        read(Classification(labels=["True", "false"]), values)
    assert labels_of(Classification(labels=["True", "false"], ids=["1", "0"]), values) == [1 - float(v) for v in values]
    assert labels_of(Classification(labels=["false", "True"]), values) == [float(v) for v in values]


@pytest.mark.parametrize("labels", [["a", "b", "c"], ["true", "maybe"]])
def test_booleans_that_stand_for_no_label_are_refused(labels):
    with pytest.raises(ValueError, match="label False is outside the label set"):
        labels_of(Classification(labels=labels), [False])


STARS = Classification(labels=["1", "2", "3"])


def test_names_that_are_numbers_are_never_taken_for_ids():
    assert labels_of(STARS, [1, "2", 3.0, "3.0"]) == [0, 1, 2, 2]
    with pytest.raises(
        AmbiguousLabelsError,
        match=r"as names, 0 is not a known label .*; as ids, 0 is 1 .*kind\.values=names or kind\.values=ids",
    ):
        read(STARS, [0, 1, 2])
    with pytest.raises(AmbiguousLabelsError, match=r"as names, 1 is 1 .*, 2 is 2 .*; as ids, 1 is 2 .*, 2 is 3 "):
        read(STARS, [1, 2])
    assert labels_of(Classification(labels=["1", "2", "3"], values="names"), [1, 2]) == [0, 1]
    assert labels_of(Classification(labels=["1", "2", "3"], values="ids"), [1, 2]) == [1, 2]
    assert labels_of(STARS, [1, 2], read(STARS, [1, 2, 3])[0]) == [0, 1]


@pytest.mark.parametrize("values", [[1, 0], ["1", "0"], [1.0, "0.0"]])
def test_names_in_another_order_than_ids_are_refused_unless_an_option_decides(values):
    with pytest.raises(
        AmbiguousLabelsError, match=r"as names, .*0 is 0.*; as ids, .*0 is 1 .*values=names or kind\.values=ids"
    ):
        read(Classification(labels=["1", "0"]), values)
    assert labels_of(Classification(labels=["1", "0"], values="names"), values) == [0, 1]


def test_names_of_which_some_are_numbers_keep_their_places():
    kind = Classification(labels=["0", "1", "many"])
    assert labels_of(kind, [0, "1", "many", 1.0]) == [0, 1, 2, 1]
    assert labels_of(kind, [0, 2]) == [0, 2]
    exact = Classification(labels=["01", "1", "1.0"], values="names")
    assert labels_of(exact, ["1", "1.0", "01", 1]) == [1, 2, 0, 1]
    with pytest.raises(ValueError, match=r"label 1\.0 may be any of 1, 1\.0"):
        labels_of(exact, [1.0])


def test_names_and_ids_in_one_column_are_refused():
    with pytest.raises(
        AmbiguousLabelsError, match=r"neutral \(2 rows\) can only be read as names; 0 \(1 row\) can only be read as ids"
    ):
        read(NLI, ["neutral", 0, "neutral"])


def test_minus_one_is_a_class_where_it_is_a_name():
    signs = Classification(labels=["-1", "1"])
    assert labels_of(signs, [-1, "1", ""]) == [0, 1, None]


def test_what_a_column_leaves_open_follows_the_training_rows():
    train = read(NLI, [0, 1, 2, -1])[0]
    assert labels_of(NLI, [-1, 0], train) == [None, 0]
    assert labels_of(NLI, [-1, 0], read(NLI, [0, 1, 2])[0]) == [None, 0]
    with pytest.raises(AmbiguousLabelsError):
        read(NLI, [-1, 0], read(NLI, [0, 1])[0])


def test_a_reading_says_what_the_values_mean():
    assert read(NLI, ["neutral"])[0].line == "names"
    assert read(NLI, [1, 0, 1])[0].line == "ids: 0 is entailment, 1 is neutral"
    assert (
        read(TWO_SIGNS, [True, -1, False])[0].line == "booleans: false is neg, true is pos, -1 is not a label (1 row)"
    )
    assert read(TWO_SIGNS, [None])[0].line == "none"


def test_memory_is_bounded_by_what_readings_can_tell_apart():
    column = TWO_SIGNS.column()
    codes = {column.code(" " * i + "neg") for i in range(1, 30_000)} | {column.code(math.nan) for _ in range(100)}
    assert len(codes) == len(column.facts()) == 2
    assert len(column._codes) <= 10_000


def test_a_later_value_that_contradicts_the_reading_is_refused():
    ids = read(NLI, [0, 1])[0]
    assert NLI.as_read("2", ids) == 2
    assert math.isnan(NLI.as_read(None, ids))
    with pytest.raises(AmbiguousLabelsError, match="label 'neutral' is not read as ids, as the labels before it are"):
        NLI.as_read("neutral", ids)
    with pytest.raises(AmbiguousLabelsError, match=r"kind\.missing=-1"):
        NLI.as_read(-1, ids)
    assert math.isnan(NLI.as_read(-1, read(NLI, [0, 1, 2])[0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ids": ["1", "2"]}, "ids must give the raw value of each of the 3 labels; found 2"),
        ({"ids": ["1", "2", "1.0"]}, r"ids has '1' more than once"),
        ({"ids": ["1", "2", "3"], "values": "ids"}, "ids and values exclude each other"),
        ({"missing": "neutral"}, "missing is 'neutral', which is a label too"),
        ({"ids": ["-1", "0", "1"], "missing": "-1"}, "missing is '-1', which is a label too"),
    ],
)  # fmt: skip
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Classification(labels=list(NLI.classes), **options)


def test_labels_that_read_alike_are_refused_with_their_code_points():
    with pytest.raises(
        ValueError, match=r"read alike: U\+0063 U\+0061 U\+0066 U\+00E9 and U\+0063 U\+0061 U\+0066 U\+0065 U\+0301"
    ):
        Classification(labels=["caf\u00e9", "cafe\u0301"])
    with pytest.raises(ValueError, match="a name without a visible character"):
        Classification(labels=["a", "\u200b"])


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
    found = NLI.loss(Column(torch.tensor(out)), single_B(gold))
    assert found.tolist() == pytest.approx(-log_softmax(out, axis=1)[np.arange(7), gold], abs=1e-6)


def test_loss_of_half_precision_outputs_is_computed_in_single_precision():
    out = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.bfloat16)
    expected = math.log(1 + math.exp(-1) + math.exp(-2))
    assert NLI.loss(Column(out), single_B([0.0])).item() == pytest.approx(expected, rel=1e-6)


def test_decoding_gives_the_most_probable_class_and_all_probabilities():
    out = np.array([[1.0, 2.0, 0.0], [1000.0, 0.0, -1000.0]], np.float32)
    decoded = NLI.decode(Column(out), {})
    assert decoded.values_N.tolist() == [1, 0]
    assert decoded.scores.values == pytest.approx(softmax(out.astype(np.float64), axis=1))


def test_decoding_leaves_the_outputs_as_they_were():
    out = np.array([[1.0, 2.0, 0.0]])
    NLI.decode(Column(out), {})
    assert out.tolist() == [[1.0, 2.0, 0.0]]


def test_what_is_shown_of_a_label_can_be_read_again():
    assert labels_of(NLI, [NLI.shown(float(i)) for i in range(3)]) == [0, 1, 2]
    assert NLI.shown(math.nan) is None


MERGE = {"neutral": "not_entailment", "contradiction": "not_entailment"}
TWO = Classification(labels=["entailment", "neutral", "contradiction"], merge=MERGE)


def test_merged_labels_are_one_class_in_order_of_first_appearance():
    assert TWO.classes == ("entailment", "not_entailment")
    assert TWO.head.size == 2
    first = Classification(labels=["contradiction", "entailment", "neutral"], merge=MERGE)
    assert first.classes == ("not_entailment", "entailment")


@pytest.mark.parametrize(
    ("values", "indices"),
    [(["entailment", "neutral", "contradiction", "not_entailment"], [0, 1, 1, 1]), ([0, 1, "2", 2.0], [0, 1, 1, 1])],
)
def test_a_raw_label_is_read_by_the_labels_and_counts_as_its_class(values, indices):
    assert labels_of(TWO, values) == indices


@pytest.mark.parametrize("value", [3, "3", "not", "not entailment"])
def test_merging_allows_no_other_labels(value):
    with pytest.raises(
        ValueError, match=r"outside the label set: entailment, neutral, contradiction or an id from 0 to 2"
    ):
        labels_of(TWO, [value])


def test_predictions_of_merged_labels_are_classes_that_can_be_read_again():
    decoded = TWO.decode(Column(np.array([[1.0, 2.0], [3.0, 0.0]], np.float32)), {})
    assert [TWO.shown(p) for p in decoded.values_N] == ["not_entailment", "entailment"]
    assert decoded.scores.values == pytest.approx(softmax([[1.0, 2.0], [3.0, 0.0]], axis=1))
    assert labels_of(TWO, [TWO.shown(float(i)) for i in range(2)]) == [0, 1]


def test_a_label_may_be_merged_into_another_one():
    stars = Classification(labels=["1", "2", "3"], merge={"2": "1"})
    assert stars.classes == ("1", "3")
    assert labels_of(stars, [1, 2, 3]) == [0, 0, 1]


def test_true_and_false_may_be_merged():
    kind = Classification(labels=["False", "True", "maybe"], merge={"maybe": "False"})
    assert labels_of(kind, [True, False, "maybe"]) == [1, 0, 0]


@pytest.mark.parametrize(
    ("merge", "message"),
    [
        ({"neutrl": "x"}, r"merge names 'neutrl', which is not a label. Did you mean 'neutral'\?"),
        ({"neutral": "contradiction", "contradiction": "x"}, "makes 'neutral' 'contradiction', which is merged itself"),
        (dict.fromkeys(NLI.classes, "x"), "merge leaves one class, 'x'"),
    ],
)
def test_a_merge_that_means_nothing_is_refused(merge, message):
    with pytest.raises(ValueError, match=message):
        Classification(labels=list(NLI.classes), merge=merge)


def test_what_labels_are_read_as_depends_on_order_and_merging_and_is_plain_where_nothing_is_merged():
    assert NLI.signature == list(NLI.classes)
    other = Classification(labels=["entailment", "contradiction", "neutral"], merge={"neutral": "contradiction"})
    same_classes = Classification(labels=["entailment", "contradiction"])
    assert other.classes == same_classes.classes
    assert len({str(kind.signature) for kind in (NLI, TWO, other, same_classes)}) == 4
