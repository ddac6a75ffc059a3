import numpy as np
import pytest

from mtl_cli.zeroshot.scoring.method import Method, Part, Scores
from mtl_cli.zeroshot.scoring.plan import Plan
from mtl_cli.zeroshot.scoring.sampled import SampledScores
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


def in_pairs(texts):
    return (texts[at : at + 2] for at in range(0, len(texts), 2))


def of(method, *sample):
    return SampledScores(method, LABELS, sample, in_pairs)


def test_a_text_of_the_sample_is_scored_once_and_rows_keep_their_places():
    method = Counting()
    engine = of(method, "xx", "y", "xx")
    found = engine.score(["zzz", "xx", "zzz", "y"], LABELS)
    plain = Counting().score(["zzz", "xx", "zzz", "y"], LABELS)
    assert (found.logits_NL.tolist(), found.parts_NP.tolist()) == (plain.logits_NL.tolist(), plain.parts_NP.tolist())
    assert sorted(method.asked) == [["xx", "y"], ["zzz", "zzz"]]
    assert engine.score(["y"], LABELS).logits_NL.tolist() == [[1, 2]]
    assert len(method.asked) == 2


def test_the_sample_is_scored_whole_and_in_its_own_order_whatever_is_asked_first():
    first, later = Counting(), Counting()
    assert of(first, "a", "bb", "ccc").of_sample(["ccc", "a"]).tolist() == [[3, 6], [1, 2]]
    of(later, "a", "bb", "ccc").score(["q", "bb"], LABELS)
    assert first.asked == [["a", "bb"], ["ccc"]]
    assert sorted(later.asked) == [["a", "bb"], ["ccc"], ["q"]]


def test_other_labels_are_scored_by_the_engine():
    assert of(Counting(), "x").score(["x"], LABELS[::-1]).logits_NL.tolist() == [[2, 1]]


@pytest.mark.parametrize("texts", [["q"], ["q", "r"]])
def test_without_a_sample_it_is_the_engine(texts):
    method = Counting()
    assert of(method).score(texts, LABELS).logits_NL.tolist() == Counting().score(texts, LABELS).logits_NL.tolist()
    assert method.asked == [texts]
