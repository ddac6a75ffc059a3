"""One optimiser step: the only place that calls backward. Legend: K tasks, B rows of a pass, C outputs of a head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from lightning_fabric import Fabric
from torch import Tensor

from mtl_cli.data.batch import Batch, StepBatch
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.tasks.kinds.base import Kind
from mtl_cli.weighting.base import Weighted


class Passes:
    """The forward passes of one step; a weighting drives them (`weighting.base.StepPasses`).

    L_i is the mean over all rows of task i in the step, so cutting the step into passes or over processes changes
    nothing: each pass contributes (sum of its rows' losses) / (rows of the task in the whole step).

    Args:
        model: gives outputs.
        kinds: give losses, by task in the order of K.
        batch: the step.
        fabric: precision and processes.
    """

    def __init__(self, model: MultiTaskModel, kinds: Mapping[str, Kind], batch: StepBatch, fabric: Fabric) -> None:
        self._model, self._kinds, self._batch, self._fabric = model, kinds, batch, fabric
        self._index = {name: k for k, name in enumerate(kinds)}

    def accumulate(self, weights_K: Tensor) -> Weighted:
        """See `StepPasses.accumulate`."""
        weights_K = weights_K.to(self._fabric.device)
        losses_K = self._zeros()
        for one in self._batch.passes:
            pass_K = self._pass_losses(one)
            self._fabric.backward((weights_K * pass_K).sum())
            losses_K += pass_K.detach()
        penalty = self._model.sharing.penalty()
        if penalty is not None:
            # Every process has the whole of it, and gradients are summed over processes.
            self._fabric.backward(penalty / self._fabric.world_size)
        return Weighted(self._reduced(losses_K), weights_K, None if penalty is None else penalty.detach())

    def losses(self) -> Tensor:
        """See `StepPasses.losses`."""
        total_K = self._zeros()
        for one in self._batch.passes:
            total_K = total_K + self._pass_losses(one)
        return torch.where(self._present(), total_K, torch.nan)

    def backward(self, loss: Tensor) -> None:
        """See `StepPasses.backward`."""
        self._fabric.backward(loss)

    def _pass_losses(self, one: Batch) -> Tensor:
        """Each task's share of its L_i that comes from one pass, shape [K]."""
        one = one.to(self._fabric.device)
        with self._fabric.autocast():
            outputs = self._model(one)
        shares = dict.fromkeys(self._kinds, torch.zeros((), device=self._fabric.device))
        for part, output in zip(one.parts, outputs, strict=True):
            rows = self._kinds[part.task].loss(output.out_BC, part.labels_B)
            shares[part.task] = rows.sum() / self._batch.counts[part.task]
        return torch.stack(list(shares.values()))

    def _zeros(self) -> Tensor:
        return torch.zeros(len(self._kinds), device=self._fabric.device)

    def _present(self) -> Tensor:
        return torch.tensor([name in self._batch.counts for name in self._kinds], device=self._fabric.device)

    def _reduced(self, losses_K: Tensor) -> Tensor:
        if self._fabric.world_size > 1:
            losses_K = self._fabric.all_reduce(losses_K, reduce_op="sum")  # type: ignore[assignment]
        return torch.where(self._present(), losses_K, torch.nan)


def share_gradients(model: MultiTaskModel, tasks: Sequence[str], fabric: Fabric) -> None:
    """Sum gradients over the processes.

    By hand instead of by DDP's hooks, since a process may run another number of passes than its neighbour, or have no row of
    a task that its neighbour has; which parameters have a gradient follows from the step's tasks, which all processes know.
    """
    if fabric.world_size == 1:
        return
    of_absent = {id(p) for name in model.heads for p in model.heads[name].parameters()}
    of_absent -= {id(p) for task in tasks for p in model.task_parameters(task)}
    parameters = [p for _, p in model.trained() if id(p) not in of_absent]
    flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in parameters])
    flat = fabric.all_reduce(flat, reduce_op="sum")  # type: ignore[assignment]
    at = 0
    for p in parameters:
        p.grad = flat[at : at + p.numel()].view_as(p)
        at += p.numel()
