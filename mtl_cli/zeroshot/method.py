"""What a zero-shot engine provides. Legend: N texts, L labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from mtl_cli.zeroshot.labels import Label


class Method(ABC):
    """Scores texts against labels that it was not trained on.

    A builder gets the `Models` of the question before its options.
    """

    @property
    @abstractmethod
    def identity(self) -> str:
        """The model it looks with, for records."""

    @property
    @abstractmethod
    def truncated(self) -> int:
        """Texts that were cut so far, being longer than the model takes."""

    @abstractmethod
    def score(self, texts: Sequence[str], labels: Sequence[Label]) -> np.ndarray:
        """Logits, shape [N, L]; their softmax is the probability of each label.

        A text's logits depend on nothing but the text and the labels: not on the other texts, their order or number.
        """


def probabilities(logits_NL: np.ndarray) -> np.ndarray:
    """Softmax over the labels."""
    shifted = logits_NL - logits_NL.max(axis=1, keepdims=True)
    scores = np.exp(shifted)
    return scores / scores.sum(axis=1, keepdims=True)
