"""What the likelihoods of a language model say of labels. Legend: N texts, H phrases, L labels."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from mtl_cli.zeroshot.decide.choice import log_softmax
from mtl_cli.zeroshot.labels.label_set import Phrase
from mtl_cli.zeroshot.scoring.method import any_word, best_word

Combined = Callable[[Sequence[str]], np.ndarray]
"""Texts -> logits of the labels, shape [N, L]."""


class Speaker(Protocol):
    """A language model, asked."""

    def said(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """log p(phrase | text), shape [N, H]."""

    def heard(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """log p(text | phrase), shape [N, H]."""

    def sizes(self, phrases: Sequence[Phrase]) -> np.ndarray:
        """Tokens of each phrase, shape [H]."""


class Rule(ABC):
    """A score from likelihoods."""

    sums_tokens = False
    """Whether a long label scores lower for its length alone."""
    once: tuple[str, ...] = ()
    """Texts that are asked beside the user's."""
    backwards = False
    """Whether texts are asked for behind labels."""

    @abstractmethod
    def score(self, speaker: Speaker, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """Score of every text and phrase, shape [N, H]; it depends on no other phrase."""

    def combine(self, scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
        """Logit of one label from the scores of its phrases, shape [N]: that any of its words is said."""
        return any_word(scores_NH, phrases)

    def less(self, logits: Combined) -> np.ndarray | None:  # noqa: ARG002
        """What is subtracted from the labels' logits, shape [L], where that depends on all labels; None: nothing."""
        return None


class Sum(Rule):
    """log p(l | x): the sum over the label's tokens."""

    sums_tokens = True

    def score(self, speaker: Speaker, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """The likelihood."""
        return speaker.said(texts, phrases)


class Mean(Rule):
    """log p(l | x) / |l|, the mean over the label's tokens; no probability of an event, so that a label's best word counts."""

    def score(self, speaker: Speaker, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """The likelihood a token."""
        return speaker.said(texts, phrases) / speaker.sizes(phrases)

    def combine(self, scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
        """The best word."""
        return best_word(scores_NH, phrases)


class PMI(Rule):
    """log p(l | x) - log p(l | premise): domain-conditional pointwise mutual information (Holtzman et al. 2021, equation 2).

    Of several words the mean of the ratios counts: a label with more words is not more likely for that.

    Args:
        premise: what stands in the text's place.
    """

    def __init__(self, premise: str) -> None:
        self.once = (premise,)

    def score(self, speaker: Speaker, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """The likelihood against that behind the premise."""
        return speaker.said(texts, phrases) - speaker.said(self.once, phrases)

    def combine(self, scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
        """Logarithm of the words' mean ratio."""
        return mean_word(scores_NH, phrases)


class Contextual(Rule):
    """log p(l | x) - log p_cf(l): contextual calibration (Zhao et al. 2021, section 5).

    p_cf is the mean over texts without content of the probabilities, which sum to 1 over the labels; so it takes all labels to know.
    """

    sums_tokens = True
    once = ("N/A", "", "[MASK]")

    def score(self, speaker: Speaker, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """The likelihood."""
        return speaker.said(texts, phrases)

    def less(self, logits: Combined) -> np.ndarray:
        """log p_cf."""
        log_p_SL = log_softmax(logits(self.once))
        mean_L: np.ndarray = np.logaddexp.reduce(log_p_SL, axis=0) - np.log(len(self.once))
        return mean_L


class Channel(Rule):
    """log p(x | l): the noisy channel (Min et al. 2022, section 3.1), labels being equally likely before."""

    backwards = True

    def score(self, speaker: Speaker, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """The text's likelihood behind the phrase."""
        return speaker.heard(texts, phrases)

    def combine(self, scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
        """Likelihood where each of the label's words is said with the share of its weight."""
        return mean_word(scores_NH, phrases)


def mean_word(scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
    """In each template log sum_h w_h exp(score_h) with weights that sum to 1; the mean over templates, shape [N]."""
    totals: dict[int, float] = {}
    for phrase in phrases:
        totals[phrase.template] = totals.get(phrase.template, 0.0) + phrase.weight
    return any_word(scores_NH, [dataclasses.replace(p, weight=p.weight / totals[p.template]) for p in phrases])


RULES: Mapping[str, Callable[[str], Rule]] = {
    "sum": lambda _: Sum(),
    "mean": lambda _: Mean(),
    "pmi": PMI,
    "contextual": lambda _: Contextual(),
    "channel": lambda _: Channel(),
}
"""Name -> rule, given the premise."""
