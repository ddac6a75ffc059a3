"""Rows of token ids on their way into an encoder. Legend: B rows, T tokens of all rows together, L tokens of the longest row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from mtl_cli.tasks.columns import places


@dataclass(frozen=True)
class PaddedText:
    """Rows side by side, each filled up to the longest, for encoders that take nothing else."""

    ids_BL: Tensor
    mask_BL: Tensor | None
    """1 at tokens, 0 at padding; None if no row is padded."""
    types_BL: Tensor | None
    segments_BL: Tensor | None
    positions_BL: Tensor | None
    places_T: Tensor
    """Where each token stands, counted through all rows: what [B, L] is flattened to, at these places, is [T] again."""


@dataclass(frozen=True)
class TextInputs:
    """Rows end to end, without padding."""

    ids_T: Tensor
    offsets: np.ndarray
    """Where each row begins, and the end of the last, shape [B + 1]; on the host, since it decides what is computed."""
    types_T: Tensor | None = None
    segments_T: Tensor | None = None
    """0 at tokens that every token of their row sees, k at those that the k-th hypothesis of a packed row sees alone. None: no row
    is packed."""
    positions_T: Tensor | None = None
    """Position of each token, counted from 0; None: they are 0, 1, 2 and so on in every row."""

    @classmethod
    def of(
        cls, ids: Sequence[np.ndarray], types: Sequence[np.ndarray] | None = None,
        segments: Sequence[np.ndarray] | None = None, positions: Sequence[np.ndarray] | None = None,
    ) -> TextInputs:  # fmt: skip
        """Put rows end to end.

        Args:
            ids: token ids of each row; there is at least one row.
            types: token types of each row; None: the encoder sees zeros.
            segments: see `segments_T`; all zero is as good as None.
            positions: see `positions_T`.
        """
        ids_T, types_T, segments_T, positions_T = map(_joined, (ids, types, segments, positions))
        assert ids_T is not None
        offsets = np.zeros(len(ids) + 1, np.int64)
        np.cumsum([len(row) for row in ids], out=offsets[1:])
        return cls(ids_T, offsets, types_T, _packed(segments_T), positions_T)

    @property
    def rows(self) -> int:
        """B."""
        return len(self.offsets) - 1

    @property
    def tokens(self) -> int:
        """T."""
        return len(self.ids_T)

    @property
    def lengths_B(self) -> np.ndarray:
        """Tokens of each row."""
        return np.diff(self.offsets)

    @cached_property
    def row_T(self) -> Tensor:
        """Row of each token."""
        return torch.from_numpy(np.repeat(np.arange(self.rows), self.lengths_B)).to(self.ids_T.device)

    @cached_property
    def places_T(self) -> Tensor:
        """Position of each token, counted from 0."""
        if self.positions_T is not None:
            return self.positions_T
        restarted = np.arange(self.tokens) - np.repeat(self.offsets[:-1], self.lengths_B)
        return torch.from_numpy(restarted).to(self.ids_T.device)

    def select(self, rows: np.ndarray) -> TextInputs:
        """Some of the rows, in the order given; at least one."""
        taken, offsets = places(self.offsets, rows)
        at_T = torch.from_numpy(taken).to(self.ids_T.device)
        whole = (self.types_T, self.segments_T, self.positions_T)
        types_T, segments_T, positions_T = (None if one is None else one[at_T] for one in whole)
        return TextInputs(self.ids_T[at_T], offsets, types_T, _packed(segments_T), positions_T)

    def to(self, device: torch.device) -> TextInputs:
        """The same rows on a device."""
        if device == self.ids_T.device:
            return self
        whole = (self.types_T, self.segments_T, self.positions_T)
        rest = (None if one is None else one.to(device, non_blocking=True) for one in whole)
        return TextInputs(self.ids_T.to(device, non_blocking=True), self.offsets, *rest)

    def padded(self, pad_id: int) -> PaddedText:
        """The rows side by side.

        Args:
            pad_id: token id of padding; types, segments and positions are 0 there.
        """
        lengths, device = self.lengths_B, self.ids_T.device
        longest = int(lengths.max())
        places = np.arange(self.tokens) + np.repeat(np.arange(self.rows) * longest - self.offsets[:-1], lengths)
        places_T = torch.from_numpy(places).to(device)

        def spread(one_T: Tensor | None, filled: int) -> Tensor | None:
            if one_T is None:
                return None
            whole = torch.full((self.rows * longest,), filled, dtype=one_T.dtype, device=device)
            return whole.index_copy(0, places_T, one_T).view(self.rows, longest)

        mask_BL = None
        if lengths.min() < longest:
            mask_BL = torch.from_numpy((np.arange(longest) < lengths[:, None]).astype(np.int64)).to(device)
        ids_BL = spread(self.ids_T, pad_id)
        assert ids_BL is not None
        types_BL, segments_BL, positions_BL = (
            spread(one, 0) for one in (self.types_T, self.segments_T, self.positions_T)
        )
        return PaddedText(ids_BL, mask_BL, types_BL, segments_BL, positions_BL, places_T)


def _joined(rows: Sequence[np.ndarray] | None) -> Tensor | None:
    return None if rows is None else torch.from_numpy(np.concatenate(rows).astype(np.int64, copy=False))


def _packed(segments_T: Tensor | None) -> Tensor | None:
    """Segments of rows of which some are packed, else None: joint rows need none."""
    return segments_T if segments_T is not None and bool(segments_T.any()) else None
