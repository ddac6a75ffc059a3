"""Similarity of a text and a label in an encoder's space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.zeroshot.encoder import TextEncoder
from mtl_cli.zeroshot.labels import Label
from mtl_cli.zeroshot.method import Method
from mtl_cli.zeroshot.models import Models


class EmbeddingMethod(Method):
    """logit(x, l) = cos(f(x), w_l) / temperature with w_l the mean of the unit vectors of the label's texts, scaled to length 1.

    Labels are encoded once, so the cost does not grow with their number.

    Args:
        encoder: f.
        temperature: divides the cosines; it shapes the probabilities and changes no decision.
    """

    def __init__(self, encoder: TextEncoder, *, temperature: float) -> None:
        if temperature <= 0:
            raise ValueError(f"temperature must be more than 0; found {temperature}")
        self._encoder, self._temperature = encoder, temperature
        self._known: tuple[tuple[Label, ...], np.ndarray] | None = None

    @property
    def identity(self) -> str:
        """The encoder."""
        return self._encoder.identity

    @property
    def truncated(self) -> int:
        """Texts and labels that were cut so far."""
        return self._encoder.truncated

    def score(self, texts: Sequence[str], labels: Sequence[Label]) -> np.ndarray:
        """Scaled cosines, shape [N, L]."""
        return (self._encoder(texts) @ self._label_vectors(tuple(labels)).T).astype(np.float64) / self._temperature

    def _label_vectors(self, labels: tuple[Label, ...]) -> np.ndarray:
        if self._known is None or self._known[0] != labels:
            vectors = self._encoder([text for label in labels for text in label.texts])
            ends = np.cumsum([len(label.texts) for label in labels])[:-1]
            means = np.stack([piece.mean(axis=0) for piece in np.split(vectors, ends)])
            self._known = (labels, means / np.linalg.norm(means, axis=1, keepdims=True))
        return self._known[1]


def embedding(models: Models, *, temperature: float) -> EmbeddingMethod:
    """The encoder of the run or the backbone as an engine."""
    return EmbeddingMethod(models.encoder(), temperature=temperature)
