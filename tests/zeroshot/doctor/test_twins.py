import time

import numpy as np
import pytest

from mtl_cli.zeroshot.doctor.base import Vectors
from mtl_cli.zeroshot.doctor.checks import examined
from mtl_cli.zeroshot.doctor.twins import mean_vectors, near_duplicates, same_words
from tests.zeroshot.doctor.fakes import LIMITS, evidence, of_names, scored, spoken, vectors
from tests.zeroshot.fakes import label


def test_labels_of_the_same_words_are_a_problem():
    (found,) = same_words(evidence([label("a", "cat"), label("b", "cat"), label("c", "dog")]))
    assert (found.severity, found.labels, found.found) == ("problem", ("a", "b"), "'a', 'b' are the same words")


def test_labels_that_the_tokenizer_makes_the_same_are_a_problem():
    (found,) = same_words(evidence([spoken(label("Cat"), 7), spoken(label("Çat"), 7), spoken(label("dog"), 8)]))
    assert (found.severity, found.found) == ("problem", "'Cat', 'Çat' are the same tokens to the model")


def test_the_same_tokens_in_other_templates_are_not_the_same():
    first, second = label("a", "x", templates=("good {}",)), label("b", "x", templates=("bad {}",))
    assert list(same_words(evidence([spoken(first, 7), spoken(second, 7)]))) == []


@pytest.mark.parametrize(("one", "other"), [("Cat", "cat"), ("card-lost", "card lost"), ("c", "C++")])
def test_case_or_punctuation_alone_is_a_warning(one, other):
    (found,) = same_words(of_names(one, other))
    assert (found.severity, found.labels) == ("warning", (one, other))
    assert "differ in case or punctuation alone" in found.found


@pytest.mark.parametrize(
    "names", [("🙂", "🙁"), ("{}", "{x}"), ("日本", "中国"), ("a,b", "a"), ("x" * 5000, "y" * 5000)]
)
def test_odd_labels_are_told_apart(names):
    assert list(same_words(evidence([label(name) for name in names]))) == []


def test_close_vectors_are_near_duplicates_the_closest_first():
    found = list(near_duplicates(of_names("a", "b", "c", vectors=vectors((1, 0), (1, 0.5), (1, 0.2)))))
    assert [one.labels for one in found] == [("a", "c"), ("b", "c"), ("a", "b")]
    assert (
        "'a' and 'c' mean nearly the same to an encoder: their cosine is 0.98, where unrelated words have 0.00"
        in found[0].found
    )


def test_similarity_is_counted_from_where_the_encoder_has_unrelated_words():
    rows = (1, 0), (0.8, 0.6)  # a cosine of 0.8
    assert len(list(near_duplicates(of_names("a", "b", vectors=vectors(*rows))))) == 1
    assert list(near_duplicates(of_names("a", "b", vectors=vectors(*rows, unrelated=0.75)))) == []


def test_labels_that_are_the_same_words_are_not_told_of_twice():
    found = examined(of_names("Cat", "cat", vectors=vectors((1, 0), (1, 0))))
    assert [one.check for one in found] == ["same words"]


def test_more_pairs_than_are_shown_are_counted():
    found = list(near_duplicates(of_names(*"abcd", vectors=vectors(*[(1, 0)] * 4))))
    assert len(found) == LIMITS.shown + 1
    assert found[-1].found == "3 more pairs of labels mean nearly the same"


def test_without_vectors_nothing_is_said():
    assert list(near_duplicates(of_names("a", "b"))) == []


def test_mean_vectors_weigh_the_phrases_of_each_label():
    rows_PD = np.array([[1.0, 0], [0, 1], [0, -1]])
    found = mean_vectors(rows_PD, [[3.0, 4.0], [1.0]])
    assert found == pytest.approx(np.array([[0.6, 0.8], [0, -1]]))


def test_a_thousand_labels_take_seconds():
    rng = np.random.default_rng(0)
    rows_LD = rng.normal(size=(1000, 64))
    p_SL = rng.dirichlet(np.ones(1000), size=50)
    unit = Vectors(rows_LD / np.linalg.norm(rows_LD, axis=1, keepdims=True), 0.0, "an encoder")
    all_known = of_names(*(f"name {i} of many" for i in range(1000)), vectors=unit, scored=scored(*p_SL))
    begin = time.process_time()
    found = examined(all_known)
    assert time.process_time() - begin < 5
    assert any("too few to say which of 1,000 labels" in one.found for one in found)
