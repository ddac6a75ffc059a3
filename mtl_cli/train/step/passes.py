"""The forward and backward passes of one step: the only place that calls backward. Legend: K tasks, B rows of a pass, C outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from mtl_cli.data.batch import Batch, StepBatch
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.tasks.columns import BatchColumns, Column
from mtl_cli.train.rows import RowStore
from mtl_cli.weighting.base import BadStep, Chosen, TaskGradients, Weighted


class Minimised(Protocol):
    """What is minimised for a task: a kind's own loss, or an objective."""

    def loss(self, out: Column[Tensor], targets: BatchColumns, /) -> Tensor:
        """Sum of the losses of each row, shape [B]."""


class Passes:
    """The forward passes of one step; a weighting drives them (`weighting.base.StepPasses`).

    L_i is the mean over all units of task i in the step (rows, or labelled words), so cutting the step into passes or over
    processes changes nothing: each pass contributes (sum of its rows' losses) / (units of the task in the whole step).

    Args:
        model: gives outputs.
        losses: what is minimised, by task in the order of K.
        batch: the step.
        fabric: precision and processes.
        stores: where task gradients are kept from step to step, by what they are gradients of.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        losses: Mapping[str, Minimised],
        batch: StepBatch,
        fabric: Fabric,
        stores: dict[Chosen, RowStore] | None = None,
    ) -> None:
        self._model, self._losses, self._batch, self._fabric = model, losses, batch, fabric
        self._stores = {} if stores is None else stores
        self._names = tuple(losses)
        self._kept: list[Tensor] = []
        self.settled: list[nn.Parameter] = []
        """Parameters whose gradient is the same in all processes already."""

    @property
    def present_P(self) -> tuple[int, ...]:
        """See `StepPasses.present_P`."""
        return tuple(k for k, name in enumerate(self._names) if name in self._batch.units)

    def accumulate(self, weights_K: Tensor) -> Weighted:
        """See `StepPasses.accumulate`."""
        weights_K = weights_K.to(self._fabric.device)
        losses_K = self._zeros()
        for one in self._batch.passes:
            pass_K = self._pass_losses(one)
            self._fabric.backward((weights_K * pass_K).sum())
            losses_K += pass_K.detach()
        return Weighted(self._reduced(losses_K), weights_K, self._penalty())

    def forward(self) -> Tensor:
        """See `StepPasses.forward`."""
        self._kept = [self._pass_losses(one) for one in self._batch.passes]
        return self._reduced(self._sum(self._kept).detach())

    def pull(self, weights_K: Tensor) -> Weighted:
        """See `StepPasses.pull`."""
        weights_K = self._of_first(weights_K.to(self._fabric.device))
        losses_K = self._sum(self._kept)
        if losses_K.requires_grad:  # a process may have no row of a step
            # A task that is absent may have any weight, infinite too: zero times it must stay zero.
            present = list(self.present_P)
            self._fabric.backward((weights_K[present] * losses_K[present]).sum())
        self._kept = []
        return Weighted(self._reduced(losses_K.detach()), weights_K, self._penalty())

    def again(self) -> Tensor:
        """See `StepPasses.again`."""
        with torch.no_grad():
            return self._reduced(self._sum([self._pass_losses(one) for one in self._batch.passes]))

    def bad_rows(self, task: str) -> list[int]:
        """Numbers of the rows of a task whose loss is infinite or no number; none where it is so at every row.

        Of this process's rows, with new draws of dropout.
        """
        found: list[int] = []
        seen = 0
        with torch.no_grad():
            for one in (each.to(self._fabric.device) for each in self._batch.passes):
                for part, output in zip(one.parts, self._model(one), strict=True):
                    if part.task == task:
                        losses_B = self._losses[task].loss(output.out, part.targets)
                        found += part.numbers_B[~losses_B.isfinite().cpu().numpy()].tolist()
                        seen += len(part.numbers_B)
        return sorted(found) if len(found) < seen else []

    def task_gradients(
        self, weights_K: Tensor, chosen: Chosen, *, others: bool = True, part: tuple[int, int] = (0, 1)
    ) -> TaskGradients:
        """See `StepPasses.task_gradients`."""
        store = self._store(chosen)
        store.begin([one.inputs.ids_T for one in self._batch.passes])
        pieces = self._pieces(*part)
        units_K = self._part_units(pieces)
        losses_K = self._zeros()
        for p, k in enumerate(self.present_P):
            with _frozen(self._model, () if others else store.parameters), store.row(p):
                for piece in pieces[k]:
                    loss = self._pass_losses(piece)[k]
                    losses_K[k] += loss.detach()
                    if loss.requires_grad:  # a task need not reach what was chosen, such as another group's branch
                        self._fabric.backward(weights_K[k] * loss)
            if not units_K[k]:
                raise BadStep("number of rows", f"is too small for {part[1]} parts", k)
            scale = self._batch.units[self._names[k]] / units_K[k]
            if scale != 1:
                losses_K[k] *= scale
                store.matrix(len(self.present_P))[p] *= scale
        matrix_PN = store.matrix(len(self.present_P))
        if self._fabric.world_size > 1:
            matrix_PN.copy_(self._fabric.all_reduce(matrix_PN, reduce_op="sum"))  # type: ignore[arg-type]
        return TaskGradients(self.present_P, self._reduced(losses_K), matrix_PN, store.beside())

    def descend(self, chosen: Chosen, direction_N: Tensor) -> Tensor | None:
        """See `StepPasses.descend`."""
        store = self._store(chosen)
        store.write(self._of_first(direction_N))
        reached = {id(p) for k in self.present_P for p in self._model.parameters_of(self._names[k])}
        for p in store.parameters:
            # As after plain training: another group's branch has no gradient, rather than a zero one that would let AdamW move it.
            if id(p) not in reached:
                p.grad = None
        self.settled += store.parameters
        return self._penalty()

    def moved(self, chosen: Chosen, step_N: Tensor) -> AbstractContextManager[None]:
        """See `StepPasses.moved`."""
        return self._store(chosen).moved(step_N)

    def _store(self, chosen: Chosen) -> RowStore:
        if chosen not in self._stores:
            # Processes have tokens of their own: their sparse columns would not be the same ones.
            dense = self._fabric.world_size > 1
            self._stores[chosen] = RowStore(self._model, chosen, len(self._names), dense=dense)
        return self._stores[chosen]

    def _pieces(self, at: int, parts: int) -> dict[int, list[Batch]]:
        """The step's passes by task, each holding rows of one; of `parts` disjoint parts of each task's rows the one `at`."""
        found: dict[int, list[Batch]] = {k: [] for k in self.present_P}
        seen = dict.fromkeys(self._names, 0)
        for one in self._batch.passes:
            for part in one.parts:
                # Rows come sorted by length: every n-th one gives parts of like lengths.
                first = (at - seen[part.task]) % parts
                whole = parts == 1 and len(one.parts) == 1
                piece = one if whole else one.only(part, slice(first, None, parts))
                seen[part.task] += part.rows.stop - part.rows.start
                if piece is not None:
                    found[self._names.index(part.task)].append(piece)
        return found

    def _part_units(self, pieces: Mapping[int, Sequence[Batch]]) -> list[float]:
        units_K = self._zeros()
        for k, batches in pieces.items():
            units_K[k] = sum(int(part.units_B.sum()) for one in batches for part in one.parts)
        if self._fabric.world_size > 1:
            units_K = self._fabric.all_reduce(units_K, reduce_op="sum")  # type: ignore[assignment]
        return units_K.tolist()

    def _penalty(self) -> Tensor | None:
        """Add the gradient of the sharing scheme's own term."""
        penalty = self._model.sharing.penalty()
        if penalty is None:
            return None
        # Every process has the whole of it, and gradients are summed over processes.
        self._fabric.backward(penalty / self._fabric.world_size)
        return penalty.detach()

    def _pass_losses(self, one: Batch) -> Tensor:
        """Each task's share of its L_i that comes from one pass, shape [K]."""
        one = one.to(self._fabric.device)
        with self._fabric.autocast():
            outputs = self._model(one)
        shares = dict.fromkeys(self._losses, torch.zeros((), device=self._fabric.device))
        for part, output in zip(one.parts, outputs, strict=True):
            losses_B = self._losses[part.task].loss(output.out, part.targets)
            shares[part.task] = losses_B.sum() / self._batch.units[part.task]
        return torch.stack(list(shares.values()))

    def _sum(self, passes: Sequence[Tensor]) -> Tensor:
        return torch.stack([self._zeros(), *passes]).sum(0)

    def _of_first(self, values: Tensor) -> Tensor:
        """What the first process has: a method that draws at random has drawn something else in each."""
        if self._fabric.world_size == 1:
            return values
        mine = values if self._fabric.is_global_zero else torch.zeros_like(values)
        return self._fabric.all_reduce(mine, reduce_op="sum")  # type: ignore[return-value]

    def _zeros(self) -> Tensor:
        return torch.zeros(len(self._losses), device=self._fabric.device)

    def _reduced(self, losses_K: Tensor) -> Tensor:
        if self._fabric.world_size > 1:
            losses_K = self._fabric.all_reduce(losses_K, reduce_op="sum")  # type: ignore[assignment]
        present = torch.zeros(len(self._names), dtype=torch.bool, device=losses_K.device)
        present[list(self.present_P)] = True
        return torch.where(present, losses_K, torch.nan)


@contextmanager
def _frozen(model: MultiTaskModel, but: Sequence[nn.Parameter]) -> Iterator[None]:
    """Inside, nothing but some parameters has gradients, so that a backward pass ends at the lowest of them; `but` empty: all have."""
    keep = {id(p) for p in but}
    frozen = [p for _, p in model.trained() if id(p) not in keep] if but else []
    for p in frozen:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in frozen:
            p.requires_grad_(True)


def share_gradients(
    model: MultiTaskModel, tasks: Sequence[str], fabric: Fabric, settled: Sequence[nn.Parameter] = ()
) -> None:
    """Sum gradients over the processes, but for those that are settled.

    By hand instead of by DDP's hooks, since a process may run another number of passes than its neighbour, or have no row of
    a task that its neighbour has; which parameters have a gradient follows from the step's tasks, which all processes know.
    """
    if fabric.world_size == 1:
        return
    reached = {id(p) for task in tasks for p in model.parameters_of(task)}
    done = {id(p) for p in settled}
    # What no task of the step reaches has a gradient from the scheme's own term, in every process, or none at all.
    parameters = [p for _, p in model.trained() if id(p) not in done and (id(p) in reached or p.grad is not None)]
    if not parameters:
        return
    flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in parameters])
    flat = fabric.all_reduce(flat, reduce_op="sum")  # type: ignore[assignment]
    at = 0
    for p in parameters:
        p.grad = flat[at : at + p.numel()].view_as(p)
        at += p.numel()
