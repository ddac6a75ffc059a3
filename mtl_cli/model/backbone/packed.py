"""Packed rows: a text, then hypotheses that see the text and themselves. Legend: B rows, L tokens, S hypotheses a row, D width.

    [CLS] text [SEP] | h_1 [SEP] | h_2 [SEP] | ...        segments 0 ... 0 | 1 ... 1 | 2 ... 2 | ...

A token sees the tokens of segment 0 and those of its own. So the text's states do not depend on the hypotheses, nor a hypothesis's
states on the others, and each h_k's positions begin right behind the text, as if it stood there alone.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Pooling = Literal["cls", "mean", "max"]


def visible(segments_BL: Tensor, mask_BL: Tensor | None, dtype: torch.dtype) -> Tensor:
    """What is added to attention scores: 0 where a token (third axis) sees another (fourth), the lowest number elsewhere.

    Shape [B, 1, L, L]. Transformers hands on a mask of four axes as it is, to fused attention and written-out attention alike.
    """
    keys_B1L, queries_BL1 = segments_BL[:, None, :], segments_BL[:, :, None]
    seen_BLL = (keys_B1L == 0) | (keys_B1L == queries_BL1)
    if mask_BL is not None:
        seen_BLL &= mask_BL[:, None, :] != 0
    scores_BLL = torch.zeros(seen_BLL.shape, dtype=dtype, device=seen_BLL.device)
    return scores_BLL.masked_fill_(~seen_BLL, torch.finfo(dtype).min)[:, None]


def hypothesis_or_row(segments_BL: Tensor, mask_BL: Tensor | None) -> Tensor:
    """1 at the tokens that a row is pooled over: the hypothesis of a packed row, all tokens of a joint one; shape [B, L]."""
    of_hypothesis_BL = segments_BL != 0
    tokens_BL = torch.ones_like(of_hypothesis_BL) if mask_BL is None else mask_BL != 0
    return torch.where(of_hypothesis_BL.any(1, keepdim=True), of_hypothesis_BL, tokens_BL).to(torch.int64)


def pooled(hidden_BLD: Tensor, mask_BL: Tensor, pooling: Pooling) -> Tensor:
    """One vector a row over the tokens where the mask is 1, shape [B, D]; `cls` takes the first of them."""
    if pooling == "cls":
        first_B = mask_BL.argmax(1)
        return hidden_BLD[torch.arange(len(first_B), device=first_B.device), first_B]
    mask_BL1 = mask_BL.unsqueeze(-1).to(hidden_BLD.dtype)
    if pooling == "mean":
        return (hidden_BLD * mask_BL1).sum(1) / mask_BL1.sum(1)
    return hidden_BLD.masked_fill(mask_BL1 == 0, -torch.inf).amax(1)


def pooled_each(hidden_BLD: Tensor, segments_BL: Tensor, pooling: Pooling) -> Tensor:
    """One vector a segment above 0, shape [B, S, D]; nothing is promised of a segment that a row does not have."""
    count = int(segments_BL.max())
    if pooling == "max":
        into_BLD = segments_BL.unsqueeze(-1).expand_as(hidden_BLD)
        empty_BSD = hidden_BLD.new_zeros(len(segments_BL), count + 1, hidden_BLD.shape[-1])
        return empty_BSD.scatter_reduce(1, into_BLD, hidden_BLD, "amax", include_self=False)[:, 1:]
    wanted_S = torch.arange(1, count + 1, device=segments_BL.device)
    of_BSL = segments_BL[:, None, :] == wanted_S[None, :, None]
    if pooling == "cls":
        first_BS1 = of_BSL.int().argmax(2).unsqueeze(-1)
        return hidden_BLD.gather(1, first_BS1.expand(-1, -1, hidden_BLD.shape[-1]))
    of_BSL = of_BSL.to(hidden_BLD.dtype)
    return (of_BSL @ hidden_BLD) / of_BSL.sum(2, keepdim=True).clamp(min=1)
