"""Nearest words in the model's own table of embeddings. Legend: V tokens, W words, D width."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.lexicon.terms import spaced
from mtl_cli.zeroshot.scoring.encoder import TextEncoder
from mtl_cli.zeroshot.scoring.method import Drawn
from mtl_cli.zeroshot.scoring.models import Models
from mtl_cli.zeroshot.scoring.vocabulary import Vocabulary
from mtl_cli.zeroshot.verbalizers.base import Candidate, Expansion, Verbalizer
from mtl_cli.zeroshot.verbalizers.sieve import Found, Sieve


class RelatedVerbalizer(Verbalizer):
    """The k words whose input embeddings have the largest cosine to the label's, which is their weight (Zhao et al. 2023, NPPrompt).

    A label of several tokens is their mean. Tokens that are parts of words are passed over.

    Args:
        models: for the encoder and its table.
        nearest: k, before words are dropped.
        least: cosine that a word needs.
        most: see `Sieve`, as what follows.
    """

    def __init__(
        self, models: Models, *, nearest: int, least: float, most: int, longest: int, weight: float, least_similarity: float | None,
    ) -> None:  # fmt: skip
        if nearest < 1 or not 0 <= least < 1:
            raise ValueError(f"nearest must be 1 or more, least from 0 to below 1; found {nearest} and {least:g}")
        self._models, self._nearest, self._least = models, nearest, least
        self._sieve = Sieve(self._vectors, most=most, longest=longest, weight=weight, least_similarity=least_similarity)

    def expand(self, labels: Sequence[Label], drawn: Drawn) -> tuple[Expansion, ...]:  # noqa: ARG002
        """Words of each label."""
        vocabulary = self._encoder.vocabulary()
        return self._sieve(labels, [self._found(label, vocabulary) for label in labels])

    def _found(self, label: Label, vocabulary: Vocabulary) -> Found:
        if len(label.words) > 1:
            return Found(told="it has words of its own")
        if not vocabulary.words:
            return Found(told="the model's tokens are no words")
        mean_D = vocabulary.mean(spaced(label.words[0].text))
        if mean_D is None:
            return Found(told="the model's tokenizer knows nothing of it")
        cosines_W = vocabulary.vectors_WD @ mean_D
        order = np.argsort(-cosines_W, kind="stable")[: self._nearest].tolist()
        near = [(vocabulary.words[w], float(cosines_W[w])) for w in order]
        return Found(tuple(Candidate(word, c, f"cosine {c:.2f} of embeddings") for word, c in near if c > self._least))

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        return self._encoder(texts)

    @functools.cached_property
    def _encoder(self) -> TextEncoder:
        return self._models.encoder()
