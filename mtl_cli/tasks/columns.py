"""Named arrays of rows, with one value a row or any number of them. Legend: N rows, V values of all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from torch import Tensor

Array = TypeVar("Array", np.ndarray, Tensor)


@dataclass(frozen=True)
class ColumnSpec:
    """How a column is stored."""

    dtype: str
    """As numpy names it."""
    ragged: bool = False
    """Whether a row has any number of values."""


@dataclass(frozen=True)
class Column(Generic[Array]):
    """One array of some rows: on disk and in scores of numpy, in a batch of torch."""

    values: Array
    """The first axis counts rows, or, where there are `offsets`, the values of all rows end to end."""
    offsets: np.ndarray | None = None
    """Where each row's values begin, and the end of the last, shape [N + 1], on the host. None: each row has one value."""

    def __len__(self) -> int:
        """N."""
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    def row(self, row: int) -> Array:
        """The values of one row."""
        if self.offsets is None:
            return self.values[row]
        return self.values[int(self.offsets[row]) : int(self.offsets[row + 1])]

    def chosen(self, rows: np.ndarray) -> Column[Array]:
        """Some of the rows, in the order given."""
        if self.offsets is None:
            return Column(self.values[rows])
        taken, offsets = places(self.offsets, rows)
        return Column(self.values[taken], offsets)

    @property
    def row_V(self) -> np.ndarray:
        """The row of each value."""
        if self.offsets is None:
            return np.arange(len(self))
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))


Columns = Mapping[str, Column[np.ndarray]]
"""Of a set of rows."""
BatchColumns = Mapping[str, Column[Tensor]]
"""Of the rows of a batch."""


def chosen(columns: Columns, rows: np.ndarray) -> dict[str, Column[np.ndarray]]:
    """Some of the rows of each column."""
    return {name: column.chosen(rows) for name, column in columns.items()}


def places(offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the values of some rows stand, and the offsets of these rows end to end."""
    starts = offsets[rows]
    lengths = offsets[np.asarray(rows) + 1] - starts
    ends = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    return np.arange(ends[-1]) + np.repeat(starts - ends[:-1], lengths), ends


def in_order(pieces: Sequence[Column[np.ndarray]], rows: Sequence[np.ndarray]) -> Column[np.ndarray]:
    """Pieces of a column put together.

    Args:
        pieces: at least one.
        rows: of each piece, the numbers of its rows in the whole; together they are 0 .. N - 1.
    """
    if all(piece.offsets is None for piece in pieces):
        joined = Column(np.concatenate([piece.values for piece in pieces]))
    else:
        lengths = np.concatenate([np.diff(piece.offsets) for piece in pieces if piece.offsets is not None])
        joined = Column(np.concatenate([piece.values for piece in pieces]), np.concatenate([[0], np.cumsum(lengths)]))
    return joined.chosen(np.argsort(np.concatenate(rows), kind="stable"))
