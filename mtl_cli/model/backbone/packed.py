"""Packed rows: a text, then hypotheses that see the text and themselves. Legend: B rows, L tokens of the longest.

    [CLS] text [SEP] | h_1 [SEP] | h_2 [SEP] | ...        segments 0 ... 0 | 1 ... 1 | 2 ... 2 | ...

A token sees the tokens of segment 0 and those of its own. So the text's states do not depend on the hypotheses, nor a hypothesis's
states on the others, and each h_k's positions begin right behind the text, as if it stood there alone.
"""

from __future__ import annotations

import torch
from torch import Tensor


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
