"""Scores of texts that something is found on, taken for their answers too. Legend: N texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.scoring.method import Method, Scores

Blocks = Callable[[Sequence[str]], Iterator[Sequence[str]]]


class SampledScores:
    """An engine that scores the texts of a sample once: for a prior, a temperature or a threshold, and for their answers.

    The sample is scored by itself, whole, in blocks and in its own order, when it is first looked at. What the other texts of a
    block score so depends on the sample and the block alone, and a resumed run finds the same.

    Args:
        method: the engine.
        labels: of the sample.
        texts: of the sample; a text that is listed twice is scored once.
        blocks: cuts texts into those that are scored together.
    """

    def __init__(self, method: Method, labels: Sequence[Label], texts: Sequence[str], blocks: Blocks) -> None:
        self._method, self._labels, self._blocks = method, tuple(labels), blocks
        self._places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        self._known: Scores | None = None

    def of_sample(self, texts: Sequence[str]) -> np.ndarray:
        """Logits of texts of the sample, shape [N, L]."""
        return _rows(self._sample(), [self._places[text] for text in texts]).logits_NL

    def score(self, texts: Sequence[str], labels: Sequence[Label]) -> Scores:
        """Scores of some texts; those of the sample are looked up, the others are scored together."""
        if tuple(labels) != self._labels or not any(text in self._places for text in texts):
            return self._method.score(texts, labels)
        places = [self._places.get(text) for text in texts]
        new = [text for text, place in zip(texts, places, strict=True) if place is None]
        both = _joined([self._sample(), self._method.score(new, labels)]) if new else self._sample()
        behind = iter(range(len(self._places), len(self._places) + len(new)))
        return _rows(both, [next(behind) if place is None else place for place in places])

    def _sample(self) -> Scores:
        if self._known is None:
            blocks = self._blocks(list(self._places))
            self._known = _joined([self._method.score(block, self._labels) for block in blocks])
        return self._known


def _rows(scores: Scores, places: Sequence[int]) -> Scores:
    chosen = np.array(places, np.int64)
    return Scores(scores.logits_NL[chosen], scores.parts, scores.parts_NP[chosen])


def _joined(scores: Sequence[Scores]) -> Scores:
    logits_NL = np.concatenate([one.logits_NL for one in scores])
    return Scores(logits_NL, scores[0].parts, np.concatenate([one.parts_NP for one in scores]))
