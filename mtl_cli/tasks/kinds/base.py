"""What every kind of task provides. Legend: B rows of a batch, N rows of a split, C outputs of a head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from mtl_cli.tasks.kinds.column import Column, Labels, Reading


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
    def signature(self) -> list[object]:
        """What the codes of a column depend on besides the kind's name, as plain JSON values."""
        return list(self.classes)

    @property
    def takes_class_names(self) -> bool:
        """Whether ids are read by the class names that a file gives to them (`ClassLabel` of `datasets`)."""
        return True

    def has_name(self, name: str) -> bool:
        """Whether a class name of a data set is a label of this kind."""
        try:
            self.column().code(name)
        except ValueError:
            return False
        return True

    @abstractmethod
    def column(self) -> Column:
        """An empty column for the raw labels of one set."""

    @abstractmethod
    def read(self, facts: Sequence[Mapping[str, Any]], codes_N: np.ndarray, train: Reading | None = None) -> Labels:
        """What a whole column means.

        Args:
            facts: of the column, when all rows were met.
            codes_N: code of each row.
            train: reading of the training rows, which decides what this column leaves open.

        Raises:
            AmbiguousLabelsError: the column has no one reading.
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
