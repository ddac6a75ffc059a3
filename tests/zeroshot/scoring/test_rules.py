"""Every rule by hand, on a model that is a table of probabilities."""

import numpy as np
import pytest

from mtl_cli.zeroshot.labels.label_set import Phrase
from mtl_cli.zeroshot.scoring.rules import RULES, mean_word

SAID = {  # text -> word -> probability
    "x": {"good": 0.2, "fine": 0.1, "bad": 0.05},
    "": {"good": 0.1, "fine": 0.2, "bad": 0.01},
    "N/A": {"good": 0.3, "fine": 0.1, "bad": 0.1},
    "[MASK]": {"good": 0.1, "fine": 0.1, "bad": 0.3},
}
TOKENS = {"good": 1, "fine": 2, "bad": 4}
GOOD, FINE, BAD = (Phrase("", word, "") for word in TOKENS)


class Table:
    def said(self, texts, phrases):
        return np.log([[SAID[text][p.words] for p in phrases] for text in texts])

    def heard(self, texts, phrases):
        return np.log([[SAID[text][p.words] / 7 for p in phrases] for text in texts])

    def sizes(self, phrases):
        return np.array([TOKENS[p.words] for p in phrases])


def scored(rule, premise=""):
    return RULES[rule](premise).score(Table(), ["x"], [GOOD, FINE, BAD])[0]


def test_scores_by_hand():
    assert scored("sum") == pytest.approx(np.log([0.2, 0.1, 0.05]))
    assert scored("mean") == pytest.approx(np.log([0.2, 0.1**0.5, 0.05**0.25]))
    assert scored("pmi") == pytest.approx(np.log([2, 0.5, 5]))
    assert scored("pmi", "N/A") == pytest.approx(np.log([2 / 3, 1, 0.5]))
    assert scored("contextual") == pytest.approx(np.log([0.2, 0.1, 0.05]))
    assert scored("channel") == pytest.approx(np.log([0.2 / 7, 0.1 / 7, 0.05 / 7]))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("sum", np.log(0.2 + 0.1)),  # the one or the other
        ("contextual", np.log(0.2 + 0.1)),
        ("mean", np.log(0.1**0.5)),  # the better one
        ("pmi", np.log((2 + 0.5) / 2)),  # the mean ratio
        ("channel", np.log((0.2 + 0.1) / 7 / 2)),
    ],
)
def test_two_words_of_a_label_by_hand(rule, expected):
    found = RULES[rule]("")
    scores_NH = found.score(Table(), ["x"], [GOOD, FINE])
    assert found.combine(scores_NH, [GOOD, FINE]) == pytest.approx([expected])


def test_contextual_subtracts_the_mean_share_behind_texts_without_content():
    rule = RULES["contextual"]("")

    def logits(texts):
        return rule.score(Table(), texts, [GOOD, BAD])

    shares = np.array([[0.3 / 0.4, 0.1 / 0.4], [0.1 / 0.11, 0.01 / 0.11], [0.1 / 0.4, 0.3 / 0.4]])
    assert rule.less(logits) == pytest.approx(np.log(shares.mean(axis=0)))
    assert all(RULES[name]("").less(logits) is None for name in ("sum", "mean", "pmi", "channel"))


def test_weights_of_words_are_shares_in_each_template():
    phrases = [Phrase("", "a", "", 3.0, 0), Phrase("", "b", "", 1.0, 0), Phrase("", "a", "", 5.0, 1)]
    found = mean_word(np.log([[0.2, 0.4, 0.5]]), phrases)
    assert found == pytest.approx([(np.log(0.75 * 0.2 + 0.25 * 0.4) + np.log(0.5)) / 2])


def test_only_sums_over_tokens_say_so():
    assert {name for name in RULES if RULES[name]("").sums_tokens} == {"sum", "contextual"}
