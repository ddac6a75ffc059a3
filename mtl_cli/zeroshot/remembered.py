"""Scores of the sampled texts, kept until they are answered. Legend: N texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.zeroshot.labels import Label
from mtl_cli.zeroshot.methods.base import Method, Scores


class Remembered:
    """An engine that is not asked again for texts that it has scored for a prior, a temperature or a threshold.

    Args:
        method: the engine.
    """

    def __init__(self, method: Method) -> None:
        self._method = method
        self._labels: tuple[Label, ...] = ()
        self._places: dict[str, int] = {}
        self._known: Scores | None = None

    def keep(self, texts: Sequence[str], labels: Sequence[Label]) -> Scores:
        """Scores of some texts, which are kept beside those that were kept before for the same labels."""
        if tuple(labels) != self._labels:
            self._labels, self._places, self._known = tuple(labels), {}, None
        new = [text for text in dict.fromkeys(texts) if text not in self._places]
        if new or self._known is None:
            found = self._method.score(new, labels)
            self._known = found if self._known is None else _joined(self._known, found)
            self._places |= {text: len(self._places) + i for i, text in enumerate(new)}
        return _rows(self._known, [self._places[text] for text in texts])

    def score(self, texts: Sequence[str], labels: Sequence[Label]) -> Scores:
        """Scores of some texts; those that are kept are looked up."""
        if self._known is None or tuple(labels) != self._labels or not any(text in self._places for text in texts):
            return self._method.score(texts, labels)
        places = [self._places.get(text) for text in texts]
        asked = [text for text, place in zip(texts, places, strict=True) if place is None]
        both = _joined(self._known, self._method.score(asked, labels)) if asked else self._known
        behind = iter(range(len(self._places), len(self._places) + len(asked)))
        return _rows(both, [next(behind) if place is None else place for place in places])


def _rows(scores: Scores, places: Sequence[int]) -> Scores:
    chosen = np.array(places, np.int64)
    return Scores(scores.logits_NL[chosen], scores.parts, scores.parts_NP[chosen])


def _joined(one: Scores, other: Scores) -> Scores:
    logits_NL = np.concatenate([one.logits_NL, other.logits_NL])
    return Scores(logits_NL, one.parts, np.concatenate([one.parts_NP, other.parts_NP]))
