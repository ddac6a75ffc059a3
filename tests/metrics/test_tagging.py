"""Metrics of tags, against seqeval and by hand."""

import numpy as np
import pytest
from seqeval.metrics import f1_score

from mtl_cli.metrics.base import examples, resample
from mtl_cli.metrics.bootstrap import draw
from mtl_cli.metrics.tagging import EntityF1, TagAccuracy

TAGS = ["O", "B-per", "I-per", "B-loc", "I-loc"]


def drawn(rows, seed=0):
    rng = np.random.default_rng(seed)
    gold = [tuple(rng.choice(TAGS, n)) for n in rng.integers(1, 12, rows)]
    predicted = [tuple(t if rng.random() < 0.6 else rng.choice(TAGS) for t in row) for row in gold]
    return examples(gold), examples(predicted)


@pytest.mark.parametrize("seed", range(5))
def test_entity_f1_is_that_of_seqeval(seed):
    gold, predicted = drawn(40, seed)
    expected = f1_score([list(t) for t in gold], [list(t) for t in predicted])
    assert EntityF1().evaluate(gold, predicted, 5) == pytest.approx(expected)


def test_a_resample_is_scored_as_the_rows_that_it_holds():
    gold, predicted = drawn(30)
    draws = draw([gold, predicted], 20, 1, "x")
    ((found,),) = resample([EntityF1()], gold, [predicted], 5, draws)
    (times,) = draws.blocks()
    for value, counts in zip(found, times.astype(int), strict=True):
        rows = np.repeat(np.arange(30), counts)
        assert value == pytest.approx(f1_score([list(gold[i]) for i in rows], [list(predicted[i]) for i in rows]))


def test_nothing_to_find_and_nothing_found_is_0():
    nothing = examples([("O", "O"), ("O",)])
    assert EntityF1().evaluate(nothing, nothing, 5) == 0.0


def test_an_entity_is_right_as_a_whole_alone():
    gold = examples([("B-per", "I-per", "O", "B-loc")])
    assert EntityF1().evaluate(gold, examples([("B-per", "O", "O", "B-loc")]), 5) == 0.5
    assert EntityF1().evaluate(gold, examples([("B-loc", "I-loc", "O", "B-loc")]), 5) == 0.5


def test_tag_accuracy_counts_the_words_that_have_a_tag():
    gold, predicted = examples([("a", None, "b"), (None,)]), examples([("a", "b", None), ("a",)])
    assert TagAccuracy().evaluate(gold, predicted, 2) == 0.5


def test_they_are_for_tags():
    with pytest.raises(ValueError, match=r"is for entities; this task predicts tags$"):
        EntityF1().check("tags", 5)
    with pytest.raises(ValueError, match=r"is for tags or entities; this task predicts classes$"):
        TagAccuracy().check("classes", 5)
