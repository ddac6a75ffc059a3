"""Similarity of a text and a label in an encoder's space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.scoring.encoder import TextEncoder
from mtl_cli.zeroshot.scoring.method import Method, Part, Scores
from mtl_cli.zeroshot.scoring.models import Models
from mtl_cli.zeroshot.scoring.pieces import Pieces
from mtl_cli.zeroshot.scoring.plan import Plan


class EmbedMethod(Method):
    """logit(x, l) = cos(f(x), w_l) / temperature with w_l the mean of the unit vectors of the label's phrases, scaled to length 1.

    Labels are encoded once, so the cost does not grow with their number.

    Args:
        encoder: f.
        temperature: divides the cosines; it shapes the probabilities and changes no decision.
        text_prefix: what the encoder was trained to see before a text.
        label_prefix: the same before a phrase.
    """

    def __init__(
        self, encoder: TextEncoder, *, temperature: float, text_prefix: str = "", label_prefix: str = ""
    ) -> None:
        if temperature <= 0:
            raise ValueError(f"temperature must be more than 0; found {temperature}")
        self._encoder, self._temperature = encoder, temperature
        self._text_prefix, self._label_prefix = text_prefix, label_prefix
        self._known: tuple[tuple[Label, ...], np.ndarray, np.ndarray] | None = None

    @property
    def identity(self) -> str:
        """The encoder."""
        return self._encoder.identity

    @property
    def truncated(self) -> int:
        """Texts and labels that were cut so far."""
        return self._encoder.truncated

    def score(self, texts: Sequence[str], labels: Sequence[Label]) -> Scores:
        """Scaled cosines; the parts are the phrases of each label."""
        texts_ND = self._encoder(self._prefixed(texts))
        labels_LD, phrases_PD = self._vectors(tuple(labels))
        logits_NL = (texts_ND @ labels_LD.T).astype(np.float64) / self._temperature
        parts = tuple(Part(i, text) for i, label in enumerate(labels) for text in label.texts)
        return Scores(logits_NL, parts, (texts_ND @ phrases_PD.T).astype(np.float64) / self._temperature)

    def plan(self, texts: Sequence[str], labels: Sequence[Label]) -> Plan:  # noqa: ARG002
        """The texts."""
        return self._encoder.plan(self._prefixed(texts))

    def plan_labels(self, labels: Sequence[Label]) -> Plan:
        """The phrases of the labels."""
        return self._encoder.plan(self._phrases(labels))

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """By the encoder's tokenizer."""
        return self._encoder.pieces(texts)

    def _prefixed(self, texts: Sequence[str]) -> Sequence[str]:
        return [f"{self._text_prefix}{text}" for text in texts] if self._text_prefix else texts

    def _phrases(self, labels: Sequence[Label]) -> list[str]:
        return [f"{self._label_prefix}{text}" for label in labels for text in label.texts]

    def _vectors(self, labels: tuple[Label, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of labels and of their phrases."""
        if self._known is None or self._known[0] != labels:
            vectors_PD = self._encoder(self._phrases(labels))
            ends = np.cumsum([len(label.phrases) for label in labels])[:-1]
            weights = [[phrase.weight for phrase in label.phrases] for label in labels]
            pairs = zip(np.split(vectors_PD, ends), weights, strict=True)
            means_LD = np.stack([np.average(piece, axis=0, weights=w).astype(np.float32) for piece, w in pairs])
            self._known = (labels, means_LD / np.linalg.norm(means_LD, axis=1, keepdims=True), vectors_PD)
        return self._known[1], self._known[2]


def embed(models: Models, *, temperature: float, text_prefix: str, label_prefix: str) -> EmbedMethod:
    """The encoder of the run or the backbone as an engine."""
    return EmbedMethod(models.encoder(), temperature=temperature, text_prefix=text_prefix, label_prefix=label_prefix)
