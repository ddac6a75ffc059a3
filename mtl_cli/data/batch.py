"""What goes through the model. Legend: B rows of one forward pass, K tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtl_cli.data.text import TextInputs


@dataclass(frozen=True)
class Part:
    """The rows of one task inside a batch."""

    task: str
    rows: slice
    labels_B: Tensor
    """float32, one a row of the slice."""
    numbers_B: np.ndarray
    """Number of each row in its task's set."""


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
        own = Part(part.task, slice(0, len(rows)), part.labels_B[every], part.numbers_B[every])
        return Batch(self.inputs.select(rows), (own,))

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        if device.type == "cpu":
            return self
        parts = tuple(Part(p.task, p.rows, p.labels_B.to(device, non_blocking=True), p.numbers_B) for p in self.parts)
        return Batch(self.inputs.to(device), parts)


@dataclass(frozen=True)
class StepBatch:
    """Everything one optimiser step looks at."""

    passes: tuple[Batch, ...]
    """This process's share, cut into forward passes."""
    counts: dict[str, int]
    """Labelled rows a task in the whole step, over all processes: what each task's mean loss divides by."""
    tokens: int = 0
    """Tokens of the whole step without padding, over all processes; for records of speed."""

    @property
    def rows(self) -> int:
        """Rows of the whole step, over all processes."""
        return sum(self.counts.values())
