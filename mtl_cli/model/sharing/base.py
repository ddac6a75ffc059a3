"""What a sharing scheme provides. Legend: B rows, T tokens of all rows, D width."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from mtl_cli.data.batch import Batch
from mtl_cli.model.backbone.base import Backbone


@dataclass(frozen=True)
class Features:
    """What the heads look at."""

    hidden_TD: Tensor
    pooled_BD: Tensor
    table_of: Callable[[str], Tensor]
    """Embeddings of a task's encoder, [V, E]."""


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

    def encoder_of(self, task: str) -> Backbone:  # noqa: ARG002
        """The encoder that a task's rows run through."""
        return self.backbone

    @property
    def width(self) -> int:
        """D."""
        return self.backbone.width

    @property
    def table_width(self) -> int:
        """E."""
        return self.backbone.table.shape[1]

    def table_of(self, task: str) -> Tensor:
        """Embeddings of a task's encoder, [V, E]."""
        return self.encoder_of(task).table

    def pool_each(self, features: Features, batch: Batch, task: str) -> Tensor:
        """One vector a hypothesis of packed rows of one task, [B, S, D]; see `Backbone.pool_each`."""
        return self.encoder_of(task).pool_each(features.hidden_TD, batch.inputs)

    def encoder_state(self) -> dict[str, Tensor]:
        """The very tensors of the encoder that a checkpoint offers to plain `AutoModel`, by their names in it."""
        return dict(self.backbone.encoder.state_dict(keep_vars=True))

    def load_encoder(self, state: Mapping[str, Tensor]) -> None:
        """Give that encoder its tensors. Raises `RuntimeError` if names or shapes do not fit."""
        self.backbone.encoder.load_state_dict(state)

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
