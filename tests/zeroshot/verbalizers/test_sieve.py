"""What is kept and dropped, and what it weighs, by hand."""

import numpy as np
import pytest

from mtl_cli.zeroshot.verbalizers.base import Candidate
from mtl_cli.zeroshot.verbalizers.sieve import Found, Sieve
from tests.zeroshot.fakes import label
from tests.zeroshot.verbalizers.fakes import Known, dropped, kept


def sieve(vectors=None, **options):
    chosen = {"most": 9, "longest": 3, "weight": 100.0, "least_similarity": None, **options}
    return Sieve(Known(vectors or {}), **chosen)


def found(*words, **parts):
    return Found(
        tuple(Candidate(w, 1.0, "found") if isinstance(w, str) else Candidate(*w, "found") for w in words), **parts
    )


def sieved(labels, finds, *, vectors=None, **options):
    return sieve(vectors, **options)([label(name) for name in labels], finds)


def test_a_word_of_two_labels_counts_for_neither():
    a, b, c = sieved("abc", [found("x", "y"), found("X ", "z"), found("w")])
    assert (kept(a), kept(b), kept(c)) == ({"y": 1}, {"z": 1}, {"w": 1})
    assert (dropped(a), dropped(b)) == ({"x": "also found for b"}, {"X ": "also found for a"})


def test_a_word_that_is_another_label_is_dropped_and_the_label_s_own_is_no_word():
    joy, happy = sieved(["joy", "happiness"], [found("Happiness", "JOY", "glee"), found("joy")])
    assert (kept(joy), dropped(joy)) == ({"glee": 1}, {"Happiness": "it is label happiness"})
    assert dropped(happy) == {"joy": "it is label joy"}


def test_a_word_from_several_places_counts_once_with_its_highest_weight():
    (one, _) = sieved("ab", [found(("x", 0.5), ("X", 0.8), ("x", 0.2)), found()])
    assert kept(one) == {"X": 0.8}


def test_long_phrases_are_dropped_and_only_the_first_of_the_heaviest_stay():
    one, _ = sieved("ab", [found("p q r", ("light", 0.1), "u", "v"), found()], most=2, longest=2)
    assert kept(one) == {"u": 1, "v": 1}
    assert dropped(one) == {"p q r": "longer than 2 words", "light": "beyond the first 2"}


@pytest.mark.parametrize(("weight", "each"), [(1.0, 0.5), (0.3, 0.15), (2.0, 1.0), (50.0, 1.0)])
def test_words_weigh_together_what_they_may_at_most(weight, each):
    one, _ = sieved("ab", [found("x", "y"), found()], weight=weight)
    assert kept(one) == pytest.approx({"x": each, "y": each})


def test_words_far_from_the_label_are_dropped_by_their_cosine():
    vectors = {"a": (1, 0, 0), "near": (0.8, 0.6, 0), "far": (0, 1, 0)}
    one, _ = sieved("ab", [found("near", "far"), found()], vectors=vectors, least_similarity=0.5)
    assert (kept(one), dropped(one)) == ({"near": 1}, {"far": "cosine 0.00 to the label"})


def test_what_was_found_is_the_same_whatever_the_order_of_the_labels():
    finds = {"a": found("x", "y"), "b": found("y", "z"), "c": found("a", "w")}
    forth, back = ({e.label: kept(e) for e in sieved(names, [finds[n] for n in names])} for names in ("abc", "cba"))
    assert forth == back == {"a": {"x": 1}, "b": {"z": 1}, "c": {"w": 1}}


def test_a_weight_is_never_rounded_to_nothing():
    one, _ = sieved("ab", [found("x", ("y", 1e-9)), found()])
    assert kept(one)["y"] > 0


def test_without_words_nothing_is_encoded():
    known = Known({})
    Sieve(known, most=1, longest=1, weight=1.0, least_similarity=0.5)([label("a"), label("b")], [found(), found()])
    assert known.asked == []


@pytest.mark.parametrize(("options", "message"), [
    ({"most": -1}, "most must be 0 or more"), ({"longest": 0}, "longest 1 or more"), ({"weight": 0.0}, "weight above 0"),
    ({"least_similarity": 1.5}, "least_similarity must be a cosine, from -1 to 1, or null; found 1.5"),
    ({"least_similarity": np.nan}, "must be a cosine"),
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sieve(**options)
