"""Neighbours of labels in a dump of ConceptNet."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.lexicon.conceptnet import Edge, edges
from mtl_cli.zeroshot.lexicon.terms import parts, spaced
from mtl_cli.zeroshot.scoring.encoder import TextEncoder
from mtl_cli.zeroshot.scoring.method import Drawn
from mtl_cli.zeroshot.scoring.models import Models
from mtl_cli.zeroshot.verbalizers.base import Candidate, Expansion, Verbalizer
from mtl_cli.zeroshot.verbalizers.sieve import Found, Sieve

_FROM = {"Synonym": 1.0, "SimilarTo": 0.5, "DerivedFrom": 0.5, "FormOf": 0.5, "RelatedTo": 0.25}
"""Weight of the other term, at whichever end the label stands."""
_INTO = {"IsA": 0.5}
"""The same where only terms that lead to the label count: what is a label, not what a label is."""


class ConceptNetVerbalizer(Verbalizer):
    """Synonyms, narrower, derived and related terms.

    A term weighs as its relation does, times w / (w + 1) with w the support of the assertion in ConceptNet.

    Args:
        models: for the encoder.
        path: the dump of assertions, `.csv` or `.csv.gz`.
        language: of the labels, as ConceptNet writes it.
        most: see `Sieve`, as what follows.
    """

    def __init__(
        self, models: Models, *, path: str | None, language: str, most: int, longest: int, weight: float, least_similarity: float | None,
    ) -> None:  # fmt: skip
        self._models, self._language = models, language
        self._path = _dump(path)
        self._sieve = Sieve(self._vectors, most=most, longest=longest, weight=weight, least_similarity=least_similarity)

    def expand(self, labels: Sequence[Label], drawn: Drawn) -> tuple[Expansion, ...]:  # noqa: ARG002
        """Words of each label; the dump is read once for all."""
        terms_L = [() if len(label.words) > 1 else _terms(label) for label in labels]
        found: dict[str, list[Candidate]] = {term: [] for terms in terms_L for term in terms}
        for edge in edges(self._path, self._language, found.keys()) if found else ():
            for term, word in _candidates(edge, found.keys()):
                found[term].append(word)
        return self._sieve(labels, [_told(terms, found) for terms in terms_L])

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        return self._encoder(texts)

    @functools.cached_property
    def _encoder(self) -> TextEncoder:
        return self._models.encoder()


def _dump(path: str | None) -> Path:
    if path is None:
        problem = "give the dump of assertions of ConceptNet: verbalizer.path=conceptnet-assertions-5.7.0.csv.gz"
        raise ConfigError([Fault("verbalizer.path", problem)])
    found = Path(path).expanduser()
    if not found.is_file():
        raise ConfigError([Fault("verbalizer.path", f"there is no file {found}")])
    return found


def _terms(label: Label) -> tuple[str, ...]:
    """The label as a whole, and what stands between its `and`s."""
    text = spaced(label.words[0].text)
    return tuple(dict.fromkeys((text, *parts(text))))


def _candidates(edge: Edge, terms: Collection[str]) -> Iterator[tuple[str, Candidate]]:
    support = edge.weight / (edge.weight + 1)
    for term, other, known in ((edge.start, edge.end, _FROM), (edge.end, edge.start, _FROM | _INTO)):
        if term in terms and edge.relation in known:
            yield term, Candidate(other, known[edge.relation] * support, f"{edge.relation} {term}")


def _told(terms: Sequence[str], found: dict[str, list[Candidate]]) -> Found:
    if not terms:
        return Found(told="it has words of its own")
    words = tuple(sorted((word for term in terms for word in found[term]), key=lambda word: -word.weight))
    return Found(words, told="" if words else f"ConceptNet has no '{terms[0]}'")
