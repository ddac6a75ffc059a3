"""What a sharing scheme provides. Legend: B rows, T tokens of all rows, D width."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from mtl_cli.data.batch import Batch
from mtl_cli.model.backbone.base import Backbone


@dataclass(frozen=True)
class Features:
    """What the heads look at."""

    hidden_TD: Tensor
    pooled_BD: Tensor


class Sharing(nn.Module, ABC):
    """Owns the encoder or encoders; says which of their parameters tasks share."""

    head_dropout: float

    @property
    @abstractmethod
    def backbone(self) -> Backbone:
        """The encoder that a checkpoint offers to plain `AutoModel`."""

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """Every encoder of the scheme, `backbone` first; they may have modules in common."""
        return (self.backbone,)

    @abstractmethod
    def features(self, batch: Batch) -> Features:
        """States of all rows; row b belongs to the task whose part holds b."""

    @abstractmethod
    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that more than one task changes."""

    def task_parameters(self, task: str) -> Iterator[nn.Parameter]:  # noqa: ARG002
        """Parameters of this scheme that one task alone changes; the heads are not among them."""
        return iter(())

    def parameters_of(self, task: str) -> Iterator[nn.Parameter]:
        """All parameters of this scheme that a task's loss changes, shared or not."""
        yield from self.shared_parameters()
        yield from self.task_parameters(task)

    def depth_of(self, name: str) -> int | None:
        """Layer of a parameter of this scheme by its name in here: 0 the embeddings; None if it is of no encoder."""
        prefix = next(n for n, module in self.named_modules() if module is self.backbone.encoder) + "."
        return self.backbone.depth_of(name.removeprefix(prefix)) if name.startswith(prefix) else None

    def penalty(self) -> Tensor | None:
        """A term of the scheme's own, added to the weighted sum of losses; None if there is none."""
        return None
