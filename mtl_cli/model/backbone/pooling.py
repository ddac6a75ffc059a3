"""Token states of rows end to end -> one vector a row. Legend: B rows, T tokens of all rows, S hypotheses of a row, D width."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from mtl_cli.data.text import TextInputs

Pooling = Literal["cls", "mean", "max"]


def pooled(hidden_TD: Tensor, inputs: TextInputs, pooling: Pooling) -> Tensor:
    """One vector a row, shape [B, D]; of a packed row it is over its hypotheses, whose first token is its `cls`."""
    row_T = inputs.row_T
    if inputs.segments_T is None:
        if pooling == "cls":
            return hidden_TD[torch.from_numpy(inputs.offsets[:-1]).to(hidden_TD.device)]
        return _over(hidden_TD, row_T, inputs.rows, pooling)
    of_hypothesis_T = inputs.segments_T != 0
    packed_B = torch.zeros(inputs.rows, dtype=torch.bool, device=row_T.device).index_fill(
        0, row_T[of_hypothesis_T], True
    )
    (used_N,) = torch.where(of_hypothesis_T | ~packed_B[row_T])
    return _over(hidden_TD[used_N], row_T[used_N], inputs.rows, pooling)


def pooled_each(hidden_TD: Tensor, inputs: TextInputs, pooling: Pooling) -> Tensor:
    """One vector a hypothesis of packed rows, shape [B, S, D]; nothing is promised of a hypothesis that a row does not have."""
    assert inputs.segments_T is not None, "the rows are packed"
    count = int(inputs.segments_T.max())
    (used_N,) = torch.where(inputs.segments_T != 0)
    of_N = inputs.row_T[used_N] * count + inputs.segments_T[used_N] - 1
    return _over(hidden_TD[used_N], of_N, inputs.rows * count, pooling).view(inputs.rows, count, -1)


def _over(hidden_TD: Tensor, of_T: Tensor, count: int, pooling: Pooling) -> Tensor:
    """States of tokens that belong together, reduced to one, shape [count, D]; tokens stand in order."""
    if pooling == "max":
        empty = hidden_TD.new_zeros(count, hidden_TD.shape[1])
        into_TD = of_T[:, None].expand_as(hidden_TD)
        return empty.scatter_reduce(0, into_TD, hidden_TD, "amax", include_self=False)
    if pooling == "cls":
        first_T = torch.ones_like(of_T, dtype=torch.bool)
        first_T[1:] = of_T[1:] != of_T[:-1]
        found = hidden_TD.new_zeros(count, hidden_TD.shape[1])
        return found.index_copy(0, of_T[first_T], hidden_TD[first_T])
    sums = hidden_TD.new_zeros(count, hidden_TD.shape[1]).index_add(0, of_T, hidden_TD)
    sizes = torch.bincount(of_T, minlength=count).clamp(min=1)
    return sums / sizes[:, None]
