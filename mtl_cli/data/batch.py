"""What goes through the model. Legend: B rows of one forward pass, K tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from mtl_cli.data.text import TextInputs
from mtl_cli.tasks.columns import BatchColumns, Column


@dataclass(frozen=True)
class Part:
    """The rows of one task inside a batch."""

    task: str
    rows: slice
    numbers_B: np.ndarray
    """Number of each row in its task's set."""
    units_B: np.ndarray
    """What the task's loss divides by, of each row; see `Kind.units`."""
    targets: BatchColumns = field(default_factory=dict)
    """What the task's kind stores of the labels; empty where nothing is trained or scored."""
    arrays: BatchColumns = field(default_factory=dict)
    """What the task's input gives beside the tokens; places are counted from the beginning of a row."""

    def only(self, every: slice) -> Part:
        """Some of its rows, as the only ones of a batch."""
        chosen = np.arange(self.rows.stop - self.rows.start)[every]
        return Part(
            self.task, slice(0, len(chosen)), self.numbers_B[chosen], self.units_B[chosen],
            _each(self.targets, lambda column: column.chosen(chosen)),
            _each(self.arrays, lambda column: column.chosen(chosen)),
        )  # fmt: skip

    def to(self, device: torch.device) -> Part:
        """The same rows on a device."""

        def moved(column: Column[Tensor]) -> Column[Tensor]:
            return Column(column.values.to(device, non_blocking=True), column.offsets)

        targets, arrays = _each(self.targets, moved), _each(self.arrays, moved)
        return Part(self.task, self.rows, self.numbers_B, self.units_B, targets, arrays)


def _each(columns: BatchColumns, change: Callable[[Column[Tensor]], Column[Tensor]]) -> dict[str, Column[Tensor]]:
    return {name: change(column) for name, column in columns.items()}


@dataclass(frozen=True)
class Batch:
    """One forward pass: rows of one or several tasks, each task's rows next to one another."""

    inputs: TextInputs
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """B."""
        return self.inputs.rows

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return self.inputs.tokens

    def only(self, part: Part, every: slice) -> Batch | None:
        """Some rows of one part as a batch of their own; None if there are none.

        Args:
            part: one of `parts`.
            every: which of the part's rows.
        """
        rows = np.arange(part.rows.start, part.rows.stop)[every]
        if not len(rows):
            return None
        return Batch(self.inputs.select(rows), (part.only(every),))

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        if device.type == "cpu":
            return self
        return Batch(self.inputs.to(device), tuple(part.to(device) for part in self.parts))


@dataclass(frozen=True)
class StepBatch:
    """Everything one optimiser step looks at."""

    passes: tuple[Batch, ...]
    """This process's share, cut into forward passes."""
    units: Mapping[str, int]
    """Of each task that has rows in the step, over all processes: what its loss L_i divides by."""
    rows: int
    """Of the whole step, over all processes; for records of speed."""
    tokens: int = 0
    """Tokens of the whole step without padding, over all processes; for records of speed."""
