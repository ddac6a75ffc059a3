"""The layers on top: one a task, or one for several."""

from __future__ import annotations

import zlib

import torch
from torch import Tensor, nn


class PooledHead(nn.Module):
    """Dropout and a linear layer over the pooled state: [B, D] -> [B, C].

    The weights follow from the seed and the head's name alone, which is the task's unless tasks share it, so a task starts
    from the same head in a multi-task run and in a run of its own.

    Args:
        width: D.
        size: C.
        dropout: probability.
        seed: of the run.
        name: of the head.
    """

    def __init__(self, width: int, size: int, *, dropout: float, seed: int, name: str) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, size)
        # 32 bits: torch's generator on the CPU looks at no more of a seed.
        generator = torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))
        with torch.no_grad():
            self.linear.weight.normal_(0.0, 0.02, generator=generator)
            self.linear.bias.zero_()

    def forward(self, pooled_BD: Tensor) -> Tensor:
        """Outputs, shape [B, C]."""
        return self.linear(self.dropout(pooled_BD))
