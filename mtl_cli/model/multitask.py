"""The whole model: a sharing scheme and the heads on top of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from mtl_cli.data.batch import Batch
from mtl_cli.model.heads.base import Head, HeadPlace
from mtl_cli.model.heads.family import HEADS
from mtl_cli.model.sharing.base import Sharing
from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.kinds.base import HeadSpec


@dataclass(frozen=True)
class TaskOutput:
    """Outputs of one task's head for its rows of a batch."""

    task: str
    out: Column[Tensor]
    """[B, C], or with offsets for what the rows are made of."""


class MultiTaskModel(nn.Module):
    """Batch -> outputs of each task that has rows in it.

    Args:
        sharing: the encoder or encoders.
        heads: what each task needs.
        seed: of the heads' first weights.
        named: the head's name of each task whose head is not its own. Tasks that name the same one share it.

    Raises:
        ValueError: tasks that share a head need different ones.
    """

    def __init__(
        self, sharing: Sharing, heads: Mapping[str, HeadSpec], seed: int, named: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self.sharing = sharing
        self._head_of = {task: (named or {}).get(task, task) for task in heads}
        specs: dict[str, HeadSpec] = {}
        for task, spec in heads.items():
            if specs.setdefault(self._head_of[task], spec) != spec:
                raise ValueError(
                    f"task '{task}' cannot share the head '{self._head_of[task]}': it needs {spec.size} outputs"
                )
        # A prefix, since a module may not be called "keys" or "pop", as a task may.
        self.heads = nn.ModuleDict(
            {
                f"task_{name}": HEADS[spec.name](
                    HeadPlace(sharing.width, sharing.table_width, sharing.head_dropout, seed, name), spec.size
                )
                for name, spec in specs.items()
            }
        )

    def head(self, task: str) -> Head:
        """The head of a task, which may be that of other tasks too."""
        head = self.heads[f"task_{self._head_of[task]}"]
        assert isinstance(head, Head)  # a ModuleDict knows modules alone
        return head

    def forward(self, batch: Batch) -> tuple[TaskOutput, ...]:
        """One output a part of the batch, in its order."""
        features = self.sharing.features(batch)
        return tuple(TaskOutput(part.task, self.head(part.task).of_part(features, batch, part)) for part in batch.parts)

    def each(self, batch: Batch) -> Tensor:
        """Outputs of one task's head for each hypothesis of packed rows, shape [B, S, C]; see `Backbone.pool_each`."""
        (part,) = batch.parts
        pooled_BSD = self.sharing.pool_each(self.sharing.features(batch), batch, part.task)
        outputs: Tensor = self.head(part.task)(pooled_BSD)
        return outputs

    def state_beyond_encoder(self) -> dict[str, Tensor]:
        """Tensors that the encoder's own folder does not hold, each under one of its names."""
        # `keep_vars`: the very objects, since a tensor may stand in several modules.
        seen = {id(tensor) for tensor in self.sharing.encoder_state().values()}
        found: dict[str, Tensor] = {}
        for name, tensor in self.state_dict(keep_vars=True).items():
            if id(tensor) not in seen:
                seen.add(id(tensor))
                found[name] = tensor.detach()
        return found

    def trained(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Parameters that training may change, with their names."""
        return ((name, p) for name, p in self.named_parameters() if p.requires_grad)

    def depth(self, name: str) -> int | None:
        """Layer of a parameter in its encoder, 0 for the embeddings; None outside the encoders."""
        return self.sharing.depth_of(name.removeprefix("sharing.")) if name.startswith("sharing.") else None

    def choose(self, params: str | int) -> list[tuple[str, nn.Parameter]]:
        """Trained parameters that a weighting looks at, with their names.

        Args:
            params: `all` that tasks share; N: those of them in the highest N layers that have any; `everything`: the heads too; else a
                regular expression that is searched for in the names of shared ones.

        Raises:
            ValueError: none is meant by it, or it is no regular expression.
        """
        if params == "everything":
            return list(self.trained())
        of_all = {id(p) for p in self.sharing.shared_parameters()}
        shared = [(name, p) for name, p in self.trained() if id(p) in of_all]
        if params == "all":
            found = shared
        elif isinstance(params, int):
            depths = [self.depth(name) or 0 for name, _ in shared]
            lowest = max(depths, default=0) - params
            found = [one for one, depth in zip(shared, depths, strict=True) if depth > lowest]
        else:
            try:
                pattern = re.compile(params)
            except re.error as error:
                raise ValueError(
                    f"'{params}' is neither all, a number of layers, nor a regular expression: {error}"
                ) from error
            found = [(name, p) for name, p in shared if pattern.search(name)]
        if not shared:
            raise ValueError(
                f"'{params}' means none: tasks share no trained parameter here, through optim.freeze or sharing.groups"
            )
        if not found:
            example = shared[len(shared) // 2][0]
            raise ValueError(
                f"no trained parameter that tasks share is meant by '{params}'; one of them is called {example}"
            )
        return found

    def parameters_of(self, task: str) -> Iterator[nn.Parameter]:
        """All parameters that a task's loss changes, shared or not."""
        yield from self.head(task).parameters()
        yield from self.sharing.parameters_of(task)

    @property
    def shares(self) -> bool:
        """Whether any trained parameter is shared by tasks: not so if all of the encoder is frozen, or each task has its own."""
        return any(True for _ in self.sharing.shared_parameters())

    def task_parameters(self, task: str) -> Iterator[nn.Parameter]:
        """Parameters that one task alone changes: its head, if no other task has it, and what the sharing scheme gives it."""
        if list(self._head_of.values()).count(self._head_of[task]) == 1:
            yield from self.head(task).parameters()
        yield from self.sharing.task_parameters(task)
