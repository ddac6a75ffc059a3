"""What a head provides. Legend: B rows of a part, D width, C outputs."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from mtl_cli.data.batch import Batch, Part
from mtl_cli.model.sharing.base import Features
from mtl_cli.tasks.columns import Column


class Head(nn.Module, ABC):
    """Dropout and a linear layer, [..., D] -> [..., C], over states that its class chooses.

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

    def forward(self, states: Tensor) -> Tensor:
        """Outputs of some states."""
        return self.linear(self.dropout(states))

    @abstractmethod
    def of_part(self, features: Features, batch: Batch, part: Part) -> Column[Tensor]:
        """Outputs for the rows of one part, [B, C], or with offsets for what its rows are made of.

        Args:
            features: of the batch.
            batch: what they were computed from.
            part: one of its parts.
        """
