"""What a zero-shot engine provides. Legend: N texts, L labels, P parts, H phrases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtl_cli.zeroshot.labels.label_set import Label, Phrase
from mtl_cli.zeroshot.scoring.cache import Cache
from mtl_cli.zeroshot.scoring.pieces import Pieces
from mtl_cli.zeroshot.scoring.plan import Plan


@dataclass(frozen=True)
class Part:
    """Something that a label's logit was made of."""

    label: int
    """Place of the label."""
    what: str
    """The phrase, or the member of an ensemble."""


@dataclass(frozen=True)
class Scores:
    """What an engine says of some texts."""

    logits_NL: np.ndarray
    """float64; their softmax is the probability of each label."""
    parts: tuple[Part, ...]
    parts_NP: np.ndarray
    """What each part says of each text; of the parts of one label the highest has driven its logit most."""

    def driver(self, text: int, label: int) -> tuple[str, float]:
        """The part that spoke most for a label, and what it said."""
        own = [p for p, part in enumerate(self.parts) if part.label == label]
        best = max(own, key=lambda p: self.parts_NP[text, p])
        return self.parts[best].what, float(self.parts_NP[text, best])


@dataclass(frozen=True)
class Drawn:
    """Texts that stand for all of them."""

    texts: Sequence[str]
    weights_S: np.ndarray
    """Share of the rows that each stands for; they sum to 1."""


class Method(ABC):
    """Scores texts against labels that it was not trained on.

    A builder gets the `Models` of the question before its options.
    """

    remembers = False
    """Whether it keeps scores in the cache of the question."""
    needs_sample = False
    """Whether `fit` must see texts before the first is scored."""
    scores_texts_alone = False
    """Whether a text gets the same score, to the last bit, whatever texts are scored with it."""
    remote = False
    """Whether texts leave the machine, so that nothing may be scored just to try it."""
    sums_tokens = False
    """Whether a label's logit is a sum over its tokens, so that long labels score lower whatever they mean."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """The model it looks with, for records."""

    @property
    @abstractmethod
    def truncated(self) -> int:
        """Texts that were cut so far, being longer than the model takes."""

    def fit(self, drawn: Drawn, labels: Sequence[Label]) -> None:
        """Learn from texts without labels what the engine needs; called once, if `needs_sample`.

        What is learnt depends on the texts as a set: not on their order.
        """

    @abstractmethod
    def score(self, texts: Sequence[str], labels: Sequence[Label]) -> Scores:
        """Logits of every text and label, with what drove them.

        A text's logits depend on nothing but the text and the labels, up to rounding: the last bits of a sum of products may change
        with the texts and labels that are scored together. The same call gives the same bits.
        """

    @abstractmethod
    def plan(self, texts: Sequence[str], labels: Sequence[Label]) -> Plan:
        """What `score` would take, found by tokenising alone; without what it takes once for all texts."""

    def plan_labels(self, labels: Sequence[Label]) -> Plan:  # noqa: ARG002
        """What the labels take once, however many texts there are."""
        return Plan(0, 0)

    def phrases_of(self, label: Label) -> tuple[Phrase, ...]:
        """The phrases of a label that this engine looks at."""
        return label.phrases

    def pieces(self, texts: Sequence[str]) -> list[Pieces] | None:  # noqa: ARG002
        """How the model's tokenizer cuts texts; None: it is not at hand."""
        return None


class PhraseMethod(Method):
    """An engine that scores a text against one phrase whatever the other phrases are.

    Args:
        cache: remembers scores; None: nothing is remembered.
        spoken: whether a label's words alone are scored, without its description.
    """

    remembers = True

    def __init__(self, cache: Cache | None, *, spoken: bool) -> None:
        self._cache, self._spoken = cache, spoken

    @property
    @abstractmethod
    def signature(self) -> str:
        """Everything but text and phrase that a score depends on: model, weights and options; the key of the cache."""

    @abstractmethod
    def score_phrases(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """Score of every text and phrase, float64, shape [N, H]."""

    @abstractmethod
    def combine(self, scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
        """Logit of one label from the scores of its phrases, shape [N]."""

    def scores_phrases_alone(self, texts: Sequence[str]) -> bool:  # noqa: ARG002
        """Whether these texts' scores for a phrase are the same, to the last bit, whatever phrases are scored with it."""
        return False

    def check(self, labels: Sequence[Label]) -> None:
        """Raise `ConfigError` for labels that the engine cannot score, such as one without tokens; asked at every call."""

    def phrases_of(self, label: Label) -> tuple[Phrase, ...]:
        """The phrases of a label that this engine looks at."""
        return label.spoken if self._spoken else label.phrases

    def score(self, texts: Sequence[str], labels: Sequence[Label]) -> Scores:
        """Logits, shape [N, L], from the scores of all phrases."""
        self.check(labels)
        phrases_L = [self.phrases_of(label) for label in labels]
        flat = [phrase for phrases in phrases_L for phrase in phrases]
        scores_NP = self._remembered(texts, flat)
        ends = np.cumsum([len(phrases) for phrases in phrases_L])[:-1]
        pieces = zip(np.split(scores_NP, ends, axis=1), phrases_L, strict=True)
        logits_NL = np.stack([self.combine(scores_NH, phrases) for scores_NH, phrases in pieces], axis=1)
        parts = tuple(Part(i, phrase.text) for i, phrases in enumerate(phrases_L) for phrase in phrases)
        return Scores(logits_NL, parts, scores_NP)

    def _remembered(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        if self._cache is None:
            return self.score_phrases(texts, phrases)
        if self.scores_texts_alone:
            return self._cache.filled(self.signature, texts, phrases, self.score_phrases)
        alone = self.scores_phrases_alone(texts)
        return self._cache.filled_block(self.signature, texts, phrases, self.score_phrases, phrases_alone=alone)


Combined = Callable[[np.ndarray, Sequence[Phrase]], np.ndarray]


def weighted_mean(scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
    """Mean over phrases by the weights of their words, shape [N]."""
    weights_H = np.array([phrase.weight for phrase in phrases])
    return scores_NH @ (weights_H / weights_H.sum())


def best_word(scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
    """In each template the word that scores highest; the mean over templates, shape [N]."""
    return _by_template(scores_NH, phrases, lambda own_NH, _: own_NH.max(axis=1))


def any_word(scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
    """In each template log sum_h w_h exp(score_h), the log-probability of any of the words; the mean over templates, shape [N]."""

    def either(own_NH: np.ndarray, own: Sequence[Phrase]) -> np.ndarray:
        return np.logaddexp.reduce(own_NH + np.log([phrase.weight for phrase in own]), axis=1)

    return _by_template(scores_NH, phrases, either)


def _by_template(scores_NH: np.ndarray, phrases: Sequence[Phrase], rule: Combined) -> np.ndarray:
    templates = dict.fromkeys(phrase.template for phrase in phrases)
    found = []
    for template in templates:
        places = [i for i, phrase in enumerate(phrases) if phrase.template == template]
        found.append(rule(scores_NH[:, places], [phrases[i] for i in places]))
    return np.mean(found, axis=0)


def probabilities(logits_NL: np.ndarray) -> np.ndarray:
    """Softmax over the labels."""
    shifted = logits_NL - logits_NL.max(axis=1, keepdims=True)
    scores = np.exp(shifted)
    return scores / scores.sum(axis=1, keepdims=True)
