"""What every kind of task provides. Legend: B rows of a batch, N rows of a set, C outputs of a head, V values of all rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from torch import Tensor

from mtl_cli.tasks.columns import BatchColumns, Column, Columns, ColumnSpec
from mtl_cli.tasks.inputs.base import EncodedRow
from mtl_cli.tasks.kinds.column import Reading


@dataclass(frozen=True)
class HeadSpec:
    """The head that a kind needs."""

    size: int
    """Numbers an output: C."""
    name: str = "pooled"
    """Of the family `head`: what a row's outputs are computed from."""


@dataclass(frozen=True)
class Predictions:
    """Outputs of a head as predictions, in the labels' own units."""

    values_N: np.ndarray
    """As metrics take them: of each row a class index or a number (float64), or any object."""
    scores: Column[np.ndarray] | None = None
    """Probability of each class, float64, [V, C]; None where there are no classes."""


@dataclass(frozen=True)
class Targets:
    """What the raw labels of a set mean."""

    columns: Columns
    """Of the names and types that the kind declares."""
    reading: Reading


class TargetReader(Protocol):
    """The raw labels of one set, met one after the other."""

    def read(self, value: object, row: EncodedRow | None) -> tuple[Any, ...]:
        """What is stored for a raw label: a value for each column that the kind declares, in their order.

        Args:
            value: the raw label; None where the row has none.
            row: the model's input to which the label belongs; None where labels alone are read.

        Raises:
            ValueError: no reading knows the value; the message says what is allowed.
        """

    def facts(self) -> list[dict[str, Any]]:
        """What is known of the labels that were met, as plain JSON values: `Kind.targets` gets it back."""


class Kind(ABC):
    """What the labels of a task are, from file to score: nothing else reads a label. Immutable: `fitted` returns a new object.

    What is stored of a raw label may be a code whose meaning depends on the other labels of its set; `targets` tells it when
    all are known.
    """

    name: ClassVar[str]
    columns: ClassVar[Mapping[str, ColumnSpec]]
    """What is stored of a label."""
    inputs: ClassVar[tuple[str, ...]] = ()
    """Arrays that the input of a task of this kind must give."""

    @property
    @abstractmethod
    def form(self) -> str:
        """What is predicted, in the plural, such as `classes`: a metric says which forms it is for."""

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
        """What the codes of labels depend on besides the kind's name, as plain JSON values."""
        return list(self.classes)

    @property
    def takes_class_names(self) -> bool:
        """Whether ids are read by the class names that a file gives to them (`ClassLabel` of `datasets`)."""
        return True

    @abstractmethod
    def has_name(self, name: str) -> bool:
        """Whether a class name of a data set is a label of this kind."""

    @abstractmethod
    def reader(self) -> TargetReader:
        """A reader of the raw labels of one set."""

    @abstractmethod
    def targets(self, facts: Sequence[Mapping[str, Any]], codes: Columns, train: Reading | None = None) -> Targets:
        """What the stored codes of a whole set mean.

        Args:
            facts: of the reader, when all rows were met.
            codes: what it gave for each row.
            train: reading of the training rows, which decides what this set leaves open.

        Raises:
            AmbiguousLabelsError: the labels have no one reading.
        """

    @abstractmethod
    def labelled(self, targets: Columns) -> np.ndarray:
        """Whether each row has a label, shape [N]."""

    def units(self, targets: Columns) -> np.ndarray:
        """What a task's loss is the mean over, as a number for each row: L_i = (sum of losses) / (sum of units). Shape [N]."""
        return self.labelled(targets).astype(np.int64)

    def fitted(self, targets: Columns) -> Kind:  # noqa: ARG002
        """This kind with what it learns from the training targets."""
        return self

    @abstractmethod
    def loss(self, out: Column[Tensor], targets: BatchColumns) -> Tensor:
        """Sum of the losses of each row, shape [B]; in the scale that is summed over tasks.

        Args:
            out: of the head, [B, C] or, with offsets, [V, C].
            targets: of the same rows.
        """

    @abstractmethod
    def decode(self, out: Column[np.ndarray], arrays: Columns) -> Predictions:
        """Predictions from the outputs of the head.

        Args:
            out: of N rows.
            arrays: of the rows' input, beside the tokens.
        """

    @abstractmethod
    def gold(self, targets: Columns) -> np.ndarray:
        """The labels in the form of `Predictions.values_N`, shape [N]; what stands in a row without label means nothing."""

    def own(self, predictions: Predictions, head: Kind) -> np.ndarray:  # noqa: ARG002
        """Predictions of another kind's head in this kind's terms, shape [N]: its classes may stand in another order."""
        return predictions.values_N

    @abstractmethod
    def shown(self, value: Any) -> Any:
        """A label or prediction as it stands in files; None for no label."""

    @abstractmethod
    def parsed(self, shown: Any) -> Any:
        """A label or prediction from how it stands in files. Raises `ValueError` for what cannot stand there."""

    def shown_scores(self, predictions: Predictions, row: int) -> Any:  # noqa: ARG002
        """The probabilities of a row as they stand in files; None: they do not."""
        return None

    @abstractmethod
    def described(self, targets: Columns) -> str:
        """The labels of a set in a few words."""

    def absent(self, targets: Columns) -> tuple[str, ...]:  # noqa: ARG002
        """Classes of no row."""
        return ()

    def state(self) -> dict[str, Any]:
        """What `fitted` has learned, as plain JSON values."""
        return {}

    def restored(self, state: Mapping[str, Any]) -> Kind:  # noqa: ARG002
        """This kind with a saved state."""
        return self
