"""What every kind of task provides. Legend: B rows of a batch, N rows of a split, C outputs of a head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class HeadSpec:
    """The head that a kind needs."""

    size: int
    """Numbers a row: C."""


@dataclass(frozen=True)
class Decoded:
    """Outputs of a head as predictions, in the labels' own units."""

    prediction_N: np.ndarray
    """Class index or value, float64; unlabelled is NaN in gold arrays of the same layout."""
    scores_NC: np.ndarray | None
    """Probability of each class, or None where there are no classes."""


class Kind(ABC):
    """What the labels of a task are. Immutable: `fitted` returns a new object.

    A label is stored as one float: a class index or a value; NaN is "no label".
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def head(self) -> HeadSpec:
        """The head this kind needs."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in index order; empty if there are none."""
        return ()

    @property
    def reading(self) -> list[object]:
        """What the numbers that `encode` gives depend on besides the kind's name, as plain JSON values."""
        return list(self.classes)

    @abstractmethod
    def encode(self, value: object) -> float:
        """A raw label as a float; NaN for none.

        Raises:
            ValueError: the label is not one of this kind; the message names it and what is allowed.
        """

    def fitted(self, labels_N: np.ndarray) -> Kind:  # noqa: ARG002
        """This kind with what it learns from the training labels (NaN where there is none)."""
        return self

    @abstractmethod
    def loss(self, out_BC: Tensor, labels_B: Tensor) -> Tensor:
        """Loss of each row, shape [B]; in the scale that is summed over tasks."""

    @abstractmethod
    def decode(self, out_NC: np.ndarray) -> Decoded:
        """Predictions from the outputs of the head."""

    @abstractmethod
    def shown(self, value: float) -> str | float | None:
        """A label or prediction as it stands in files; None for NaN."""

    def state(self) -> dict[str, Any]:
        """What `fitted` has learned, as plain JSON values."""
        return {}

    def restored(self, state: Mapping[str, Any]) -> Kind:  # noqa: ARG002
        """This kind with a saved state."""
        return self
