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
    segments_BL: Tensor | None = None
    """0 at tokens that every token of their row sees, k at those that the k-th hypothesis of a packed row sees alone; padding is 0.
    None: no row is packed."""
    positions_BL: Tensor | None = None
    """Position of each token, counted from 0; None: they are 0, 1, 2 and so on in every row."""

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
        whole = (self.ids_BL, self.types_BL, self.segments_BL, self.positions_BL)
        ids_BL, types_BL, segments_BL, positions_BL = (None if t is None else t[rows, :length] for t in whole)
        assert ids_BL is not None
        parts = (Part(part.task, slice(0, len(rows)), part.labels_B[every]),)
        return Batch(ids_BL, mask_BL, types_BL, parts, packed(segments_BL), positions_BL)

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        if device.type == "cpu":
            return self
        whole = (self.mask_BL, self.types_BL, self.segments_BL, self.positions_BL)
        mask_BL, types_BL, segments_BL, positions_BL = (
            None if t is None else t.to(device, non_blocking=True) for t in whole
        )
        parts = tuple(Part(p.task, p.rows, p.labels_B.to(device, non_blocking=True)) for p in self.parts)
        ids_BL = self.ids_BL.to(device, non_blocking=True)
        return Batch(ids_BL, mask_BL, types_BL, parts, segments_BL, positions_BL)


def packed(segments_BL: Tensor | None) -> Tensor | None:
    """Segments of rows of which some are packed, else None: joint rows need no mask of their own."""
    return segments_BL if segments_BL is not None and bool(segments_BL.any()) else None


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
