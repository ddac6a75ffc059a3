"""Groups of tasks with a branch or an encoder each. Legend: B rows, D width."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mtl_cli.data.batch import Batch, Part
from mtl_cli.data.text import TextInputs
from mtl_cli.errors import ConfigError, Fault, did_you_mean
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.sharing.base import Features, Sharing


class GroupedSharing(Sharing):
    """Tasks of one group share all, tasks of different groups the lowest layers or nothing.

    Which tasks to put together: Fifty et al. 2021, "Efficiently identifying task groupings for multi-task learning".
    Each group has an encoder of its own. Their embeddings and lowest `branch_at` layers are the same modules; the rest of the
    others is copied from the first, so that all start alike. A row runs through its group's encoder alone.

    Args:
        backbone: the first group's encoder, which a checkpoint offers to plain `AutoModel`.
        tasks: names of the tasks.
        groups: each task in exactly one group.
        branch_at: layers below the branches, shared by all with the embeddings; 0: a whole encoder a group.
        head_dropout: dropout before each head.

    Raises:
        ConfigError: `groups` is no partition of the tasks, or the encoder cannot be split there.
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Sequence[str],
        *,
        groups: list[list[str]],
        branch_at: int,
        head_dropout: float,
    ) -> None:
        super().__init__()
        if not 0 <= head_dropout < 1:
            raise ValueError(f"head_dropout must lie in [0, 1); found {head_dropout}")
        faults = [*_group_faults(groups, tasks), *_split_faults(backbone, branch_at)]
        if faults:
            raise ConfigError(faults)
        self.head_dropout = head_dropout
        self._groups = tuple(tuple(group) for group in groups)
        self._group_of = {task: g for g, group in enumerate(self._groups) for task in group}
        self._branches = (backbone, *(_branch(backbone, branch_at) for _ in groups[1:]))
        self.branches = nn.ModuleList(self._branches)

    @property
    def backbone(self) -> Backbone:
        """The first group's encoder."""
        return self._branches[0]

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """Each group's encoder."""
        return self._branches

    def encoder_of(self, task: str) -> Backbone:
        """That of the task's group."""
        return self._branches[self._group_of[task]]

    def features(self, batch: Batch) -> Features:
        """Each group's rows go through its own encoder; then all stand in the batch's order again."""
        parts: dict[int, list[Part]] = {}
        for part in sorted(batch.parts, key=lambda p: p.rows.start):
            parts.setdefault(self._group_of[part.task], []).append(part)
        if len(parts) == 1:
            (group,) = parts
            return Features(*_through(self._branches[group], batch.inputs), self.table_of)
        hidden: dict[int, Tensor] = {}
        pooled: dict[int, Tensor] = {}
        for group, own in parts.items():
            rows = np.concatenate([np.arange(part.rows.start, part.rows.stop) for part in own])
            hidden_TD, pooled_BD = _through(self._branches[group], batch.inputs.select(rows))
            starts = [part.rows.start for part in own]
            sizes = [part.rows.stop - part.rows.start for part in own]
            offsets = batch.inputs.offsets
            tokens = [int(offsets[part.rows.stop] - offsets[part.rows.start]) for part in own]
            hidden.update(zip(starts, torch.split(hidden_TD, tokens), strict=True))
            pooled.update(zip(starts, torch.split(pooled_BD, sizes), strict=True))
        order = sorted(hidden)
        return Features(torch.cat([hidden[at] for at in order]), torch.cat([pooled[at] for at in order]), self.table_of)

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """What lies below the branches, and the branches of groups of several tasks."""
        return (p for p, groups in self._trained() if self._is_shared(groups))

    def task_parameters(self, task: str) -> Iterator[nn.Parameter]:
        """The branch of a task that is alone in its group."""
        own = [self._group_of[task]]
        return (p for p, groups in self._trained() if groups == own and not self._is_shared(groups))

    def parameters_of(self, task: str) -> Iterator[nn.Parameter]:
        """The encoder of the task's group."""
        return (p for p in self._branches[self._group_of[task]].parameters() if p.requires_grad)

    def depth_of(self, name: str) -> int | None:
        """Layer of a parameter in its group's encoder."""
        match = re.match(r"branches\.\d+\.encoder\.", name)
        return self.backbone.depth_of(name[match.end() :]) if match else None

    def _trained(self) -> Iterator[tuple[nn.Parameter, list[int]]]:
        """Each trained parameter once, with the groups whose encoders hold it."""
        groups: dict[int, list[int]] = {}
        for group, branch in enumerate(self._branches):
            for p in branch.parameters():
                groups.setdefault(id(p), []).append(group)
        return ((p, groups[id(p)]) for p in self.parameters() if p.requires_grad)

    def _is_shared(self, groups: Sequence[int]) -> bool:
        # A run of one group is hard sharing, also if it has one task.
        return len(groups) == len(self._groups) or sum(len(self._groups[g]) for g in groups) > 1


def _through(backbone: Backbone, inputs: TextInputs) -> tuple[Tensor, Tensor]:
    """Token states and pooled states."""
    hidden_TD = backbone(inputs)
    return hidden_TD, backbone.pool(hidden_TD, inputs)


def _branch(backbone: Backbone, branch_at: int) -> Backbone:
    """A copy of an encoder whose embeddings and lowest layers are those of the original; of the original is also what is never trained."""
    encoder = backbone.encoder
    kept: dict[int, object] = {id(shared): shared for shared in (backbone.tokenizer, encoder.config)}
    for name, p in encoder.named_parameters():
        if not p.requires_grad or (branch_at and backbone.depth_of(name) <= branch_at):
            kept[id(p)] = p
    for module in encoder.modules():
        own = [id(p) in kept for p in module.parameters()]
        # A module without parameters has no place of its own and is copied with what it stands in.
        if own and all(own):
            kept[id(module)] = module
    # What the memo names, `deepcopy` takes for copied already.
    return copy.deepcopy(backbone, kept)


def _group_faults(groups: Sequence[Sequence[str]], tasks: Sequence[str]) -> Iterator[Fault]:
    key = "sharing.groups"
    named = [task for group in groups for task in group]
    if not all(groups):
        yield Fault(key, "a group is empty")
    for task in dict.fromkeys(named):
        if task not in tasks:
            yield Fault(key, f"no task is called '{task}'. {did_you_mean(task, tasks)}")
        if named.count(task) > 1:
            yield Fault(key, f"task '{task}' is listed {named.count(task)} times; a task belongs to one group")
    missing = [f"'{task}'" for task in tasks if task not in named]
    if missing:
        yield Fault(key, f"each task belongs to one group, and {', '.join(missing)} to none")


def _split_faults(backbone: Backbone, branch_at: int) -> Iterator[Fault]:
    key, layers = "sharing.branch_at", backbone.layers
    if branch_at == 0:
        return
    if not 0 < branch_at < layers:
        found = f"the encoder has {layers} layers of its own weights, so branches start at 0 to {max(0, layers - 1)}"
        yield Fault(key, f"{found}; found {branch_at}. To share all layers: sharing=hard")
        return
    depths: dict[int, set[int]] = {}
    lists: set[str] = set()
    for name, p in backbone.encoder.named_parameters(remove_duplicate=False):
        depths.setdefault(id(p), set()).add(backbone.depth_of(name))
        if match := re.search(r"\.\d+\.", name):
            lists.add(name[: match.start()])
    if len(lists) > 1:
        found = (
            f"the encoder has several lists of layers ({', '.join(sorted(lists))}), so it is not clear which are low"
        )
        yield Fault(key, f"{found}. Use sharing.branch_at=0: a whole encoder a group")
    elif any(min(used) <= branch_at < max(used) for used in depths.values()):
        found = f"the encoder uses the same weights below and above layer {branch_at}"
        yield Fault(key, f"{found}. Use another number, or sharing.branch_at=0: a whole encoder a group")
