"""What an objective provides. Legend: N rows of a set, B rows of a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from mtl_cli.data.collate import Prepared
from mtl_cli.data.encoded import EncodedSet
from mtl_cli.tasks.columns import BatchColumns, Column
from mtl_cli.tasks.kinds.base import HeadSpec, Kind


@dataclass(frozen=True)
class Vocabulary:
    """What an objective may know of the tokens of an encoder."""

    size: int
    """Rows of the embedding table."""
    mask: int | None
    """The token that stands for a hidden one; None: the tokenizer has none."""
    special: tuple[int, ...]
    """Tokens that stand for no text."""


class Objective(ABC):
    """What is minimised for one task; a task has exactly one.

    Two losses over the same texts are two tasks over one source: so each has its weight, and every weighting, sampler and diagnostic
    works for their sum as it does for any.

    Args:
        kind: of the task.
        vocabulary: of the encoder.
    """

    needs_labels: ClassVar[bool] = True
    """Whether a row must have a label to be trained on."""

    def __init__(self, kind: Kind, vocabulary: Vocabulary) -> None:
        self._kind, self._vocabulary = kind, vocabulary

    @property
    def head(self) -> HeadSpec:
        """The head it needs: that of the kind, unless it says otherwise."""
        return self._kind.head

    @abstractmethod
    def units(self, encoded: EncodedSet) -> np.ndarray:
        """What the task's loss is the mean over, of each row, shape [N]; 0: the row is not trained on."""

    def prepared(self, ids: Sequence[np.ndarray], numbers: np.ndarray, key: tuple[int, ...]) -> Prepared:  # noqa: ARG002
        """The rows as the encoder sees them, and what is added to them.

        Args:
            ids: tokens of each row.
            numbers: of the rows in their set.
            key: of all draws of the step. What a row becomes may depend on it and on the row's number, never on the rows beside it.
        """
        return Prepared(ids)

    @abstractmethod
    def loss(self, out: Column[Tensor], targets: BatchColumns, /) -> Tensor:
        """Sum of the losses of each row, shape [B]."""
