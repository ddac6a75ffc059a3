"""The whole model: a sharing scheme and one head a task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from mtl_cli.data.batch import Batch
from mtl_cli.model.heads import PooledHead
from mtl_cli.model.sharing.base import Sharing
from mtl_cli.tasks.kinds.base import HeadSpec


@dataclass(frozen=True)
class TaskOutput:
    """Outputs of one task's head for its rows of a batch."""

    task: str
    out_BC: Tensor


class MultiTaskModel(nn.Module):
    """Batch -> outputs of each task that has rows in it.

    Args:
        sharing: the encoder or encoders.
        heads: what each task needs.
        seed: of the heads' first weights.
    """

    def __init__(self, sharing: Sharing, heads: Mapping[str, HeadSpec], seed: int) -> None:
        super().__init__()
        self.sharing = sharing
        width = sharing.backbone.width
        # A prefix, since a module may not be called "keys" or "pop", as a task may.
        self.heads = nn.ModuleDict({
            f"task_{name}": PooledHead(width, spec.size, dropout=sharing.head_dropout, seed=seed, task=name) for name, spec in heads.items()
        })  # fmt: skip

    def head(self, task: str) -> nn.Module:
        """The head of a task."""
        return self.heads[f"task_{task}"]

    def forward(self, batch: Batch) -> tuple[TaskOutput, ...]:
        """One output a part of the batch, in its order."""
        features = self.sharing.features(batch)
        return tuple(TaskOutput(part.task, self.head(part.task)(features.pooled_BD[part.rows])) for part in batch.parts)

    def state_beyond_encoder(self) -> dict[str, Tensor]:
        """Tensors that the encoder's own folder does not hold."""
        encoder = self.sharing.backbone.encoder
        prefix = next(name for name, module in self.named_modules() if module is encoder) + "."
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith(prefix)}

    def trained(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Parameters that training may change, with their names."""
        return ((name, p) for name, p in self.named_parameters() if p.requires_grad)

    def task_parameters(self, task: str) -> Iterator[nn.Parameter]:
        """Parameters that one task alone changes: its head and what the sharing scheme gives it."""
        yield from self.head(task).parameters()
        yield from self.sharing.task_parameters(task)
