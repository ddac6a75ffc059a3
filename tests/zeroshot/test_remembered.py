import numpy as np
import pytest

from mtl_cli.zeroshot.methods.base import Method, Part, Scores
from mtl_cli.zeroshot.plan import Plan
from mtl_cli.zeroshot.remembered import Remembered
from tests.zeroshot.fakes import named


class Counting(Method):
    """Length of text and label; counts what it is asked."""

    identity, truncated = "counting", 0

    def __init__(self):
        self.asked = []

    def score(self, texts, labels):
        self.asked.append(list(texts))
        values = [[len(text) * len(label.name) for label in labels] for text in texts]
        logits_NL = np.array(values, np.float64).reshape(len(texts), len(labels))
        return Scores(logits_NL, tuple(Part(i, label.name) for i, label in enumerate(labels)), 2 * logits_NL)

    def plan(self, texts, labels):
        return Plan(0, 0)


LABELS = named("a", "bb")


def test_a_text_that_is_kept_is_not_scored_again_and_rows_keep_their_places():
    method = Counting()
    engine = Remembered(method)
    engine.keep(["xx", "y", "xx"], LABELS)
    found = engine.score(["zzz", "xx", "zzz", "y"], LABELS)
    plain = Counting().score(["zzz", "xx", "zzz", "y"], LABELS)
    assert (found.logits_NL.tolist(), found.parts_NP.tolist()) == (plain.logits_NL.tolist(), plain.parts_NP.tolist())
    assert method.asked == [["xx", "y"], ["zzz", "zzz"]]
    assert engine.score(["y"], LABELS).logits_NL.tolist() == [[1, 2]]
    assert len(method.asked) == 2


def test_what_is_kept_grows_and_is_dropped_when_the_labels_change():
    method = Counting()
    engine = Remembered(method)
    engine.keep(["x"], LABELS)
    assert engine.keep(["yy", "x"], LABELS).logits_NL.tolist() == [[2, 4], [1, 2]]
    assert engine.score(["x"], LABELS[::-1]).logits_NL.tolist() == [[2, 1]]
    assert method.asked == [["x"], ["yy"], ["x"]]


@pytest.mark.parametrize("texts", [["q"], ["q", "r"]])
def test_with_nothing_kept_it_is_the_engine(texts):
    method = Counting()
    assert Remembered(method).score(texts, LABELS).logits_NL.tolist() == method.score(texts, LABELS).logits_NL.tolist()
