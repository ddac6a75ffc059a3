"""What goes through the model. Legend: B rows of one forward pass, L tokens of its longest row, K tasks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """The rows of one task inside a batch."""

    task: str
    rows: slice
    labels_B: Tensor
    """float32, one a row of the slice."""


@dataclass(frozen=True)
class Batch:
    """One forward pass: rows of one or several tasks, each task's rows next to one another."""

    ids_BL: Tensor
    mask_BL: Tensor | None
    """1 at tokens, 0 at padding; None if no row is padded."""
    types_BL: Tensor | None
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """B."""
        return self.ids_BL.shape[0]

    @property
    def tokens(self) -> int:
        """Tokens that are not padding."""
        return self.ids_BL.numel() if self.mask_BL is None else int(self.mask_BL.sum())

    def only(self, part: Part, every: slice) -> Batch | None:
        """Some rows of one part as a batch of their own, cut to the longest of them; None if there are none.

        Args:
            part: one of `parts`.
            every: which of the part's rows.
        """
        rows = torch.arange(part.rows.start, part.rows.stop)[every]
        if not len(rows):
            return None
        length, mask_BL = self.ids_BL.shape[1], None
        if self.mask_BL is not None:
            lengths = self.mask_BL[rows].sum(1)
            length = int(lengths.max())
            mask_BL = self.mask_BL[rows, :length] if int(lengths.min()) < length else None
        types_BL = None if self.types_BL is None else self.types_BL[rows, :length]
        labels_B = part.labels_B[every]
        return Batch(self.ids_BL[rows, :length], mask_BL, types_BL, (Part(part.task, slice(0, len(rows)), labels_B),))

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        if device.type == "cpu":
            return self
        moved = [
            None if t is None else t.to(device, non_blocking=True) for t in (self.ids_BL, self.mask_BL, self.types_BL)
        ]
        parts = tuple(Part(p.task, p.rows, p.labels_B.to(device, non_blocking=True)) for p in self.parts)
        assert moved[0] is not None
        return Batch(moved[0], moved[1], moved[2], parts)


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
