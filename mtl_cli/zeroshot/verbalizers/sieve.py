"""Which of the words that were found count for a label. Legend: L labels, W words, D width."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.lexicon.terms import spaced
from mtl_cli.zeroshot.verbalizers.base import Candidate, Dropped, Expansion

_DIGITS = 4

Vectors = Callable[[Sequence[str]], np.ndarray]
"""Texts -> unit vectors, shape [W, D]."""


@dataclass(frozen=True)
class Found:
    """What a source says of a label."""

    candidates: tuple[Candidate, ...] = ()
    """The same word may come from several places."""
    description: str | None = None
    told: str = ""


class Sieve:
    """Drops words that do not tell labels apart, are too long, too far or too many, and makes the rest weigh what they may.

    A word that was found for two labels, or that is another label's own, counts for neither (Hu et al. 2022, KPT).

    Args:
        vectors: of texts; asked only with `least_similarity`.
        most: words a label, beside its own.
        longest: words in a phrase.
        weight: what the words of a label weigh together at most, where its own word weighs 1.
        least_similarity: cosine to the label's own word that a word needs; None: any will do.
    """

    def __init__(
        self, vectors: Vectors, *, most: int, longest: int, weight: float, least_similarity: float | None
    ) -> None:
        if most < 0 or longest < 1 or weight <= 0:
            raise ValueError(
                f"most must be 0 or more, longest 1 or more, weight above 0; found {most}, {longest} and {weight:g}"
            )
        if least_similarity is not None and not -1 <= least_similarity <= 1:
            raise ValueError(f"least_similarity must be a cosine, from -1 to 1, or null; found {least_similarity:g}")
        self._vectors, self._most, self._longest = vectors, most, longest
        self._weight, self._least = weight, least_similarity

    def __call__(self, labels: Sequence[Label], found: Sequence[Found]) -> tuple[Expansion, ...]:
        """What is kept and dropped, with the reasons; the highest weights are kept, of equal ones the first."""
        own = {_key(word.text): label.name for label in labels for word in label.words}
        merged = [
            _merged(one.candidates, {_key(word.text) for word in label.words})
            for label, one in zip(labels, found, strict=True)
        ]
        of = {
            key: [label.name for label, words in zip(labels, merged, strict=True) if key in words]
            for key in _shared(merged)
        }
        expansions = []
        for label, words, one in zip(labels, merged, found, strict=True):
            dropped: dict[str, Dropped] = {}
            for key, word in words.items():
                if reason := self._clash(key, word, own, of, label.name):
                    dropped[key] = Dropped(word.text, reason)
            left = {key: word for key, word in words.items() if key not in dropped}
            for key, reason in self._far(label, left):
                dropped[key] = Dropped(left.pop(key).text, reason)
            ranked = sorted(left.values(), key=lambda word: -word.weight)
            too_many = tuple(Dropped(word.text, f"beyond the first {self._most}") for word in ranked[self._most :])
            kept = self._weighed(ranked[: self._most])
            expansions.append(Expansion(label.name, kept, (*dropped.values(), *too_many), one.description, one.told))
        return tuple(expansions)

    def _clash(
        self, key: str, word: Candidate, own: dict[str, str], of: dict[str, list[str]], label: str
    ) -> str | None:
        if key in own:
            return f"it is label {own[key]}"
        if key in of:
            others = [name for name in of[key] if name != label]
            more = f" and {len(others) - 2:,} more" if len(others) > 2 else ""
            return f"also found for {', '.join(others[:2])}{more}"
        if len(word.text.split()) > self._longest:
            return f"longer than {self._longest} words"
        return None

    def _far(self, label: Label, words: dict[str, Candidate]) -> Iterator[tuple[str, str]]:
        if self._least is None or not words:
            return
        vectors_WD = self._vectors([label.words[0].text, *(word.text for word in words.values())])
        cosines = (vectors_WD[1:] @ vectors_WD[0]).tolist()
        for key, cosine in zip(list(words), cosines, strict=True):
            if cosine < self._least:
                yield key, f"cosine {cosine:.2f} to the label"

    def _weighed(self, words: Sequence[Candidate]) -> tuple[Candidate, ...]:
        scale = min(1.0, self._weight / max(sum(word.weight for word in words), 1e-12))
        least = 10.0**-_DIGITS
        return tuple(Candidate(w.text, max(least, round(scale * w.weight, _DIGITS)), w.reason) for w in words)


def _key(text: str) -> str:
    return spaced(text).casefold()


def _merged(candidates: Sequence[Candidate], own: set[str]) -> dict[str, Candidate]:
    """Each word once, with its highest weight; the label's own words are none of them."""
    words: dict[str, Candidate] = {}
    for word in candidates:
        key = _key(word.text)
        if key and key not in own and (key not in words or words[key].weight < word.weight):
            words[key] = word
    return words


def _shared(merged: Sequence[dict[str, Candidate]]) -> set[str]:
    return {key for key, times in Counter(key for words in merged for key in words).items() if times > 1}
