"""What a head provides. Legend: B rows of a part, D width, C outputs, E width of the embeddings."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtl_cli.data.batch import Batch, Part
from mtl_cli.model.sharing.base import Features
from mtl_cli.tasks.columns import Column


@dataclass(frozen=True)
class HeadPlace:
    """Where a head stands."""

    width: int
    """D."""
    table_width: int
    """E."""
    dropout: float
    """Probability, before the head."""
    seed: int
    """Of the run."""
    name: str
    """Of the head: the task's, unless tasks share it."""


def seeded(linear: nn.Linear, place: HeadPlace) -> None:
    """First weights that follow from the seed and the head's name alone: a task starts from the same head in a multi-task run and in a
    run of its own."""
    # 32 bits: torch's generator on the CPU looks at no more of a seed.
    generator = torch.Generator().manual_seed(zlib.crc32(f"{place.seed} {place.name}".encode()))
    with torch.no_grad():
        linear.weight.normal_(0.0, 0.02, generator=generator)
        linear.bias.zero_()


class Head(nn.Module, ABC):
    """Layers on top of the shared ones."""

    @abstractmethod
    def of_part(self, features: Features, batch: Batch, part: Part) -> Column[Tensor]:
        """Outputs for the rows of one part, [B, C], or with offsets for what its rows are made of.

        Args:
            features: of the batch.
            batch: what they were computed from.
            part: one of its parts.
        """


class LinearHead(Head):
    """Dropout and a linear layer, [..., D] -> [..., C], over states that its class chooses.

    Args:
        place: where the head stands.
        size: C.
    """

    def __init__(self, place: HeadPlace, size: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(place.dropout)
        self.linear = nn.Linear(place.width, size)
        seeded(self.linear, place)

    def forward(self, states: Tensor) -> Tensor:
        """Outputs of some states."""
        return self.linear(self.dropout(states))
