"""The step of plain training: draw rows, weigh the gradients of all tasks, clip, update."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from mtl_cli.data.batch import StepBatch
from mtl_cli.data.loader import StepLoader
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.optim.groups import set_rates
from mtl_cli.optim.schedule import Schedule
from mtl_cli.train.diagnose import Diagnostics
from mtl_cli.train.rows import RowStore
from mtl_cli.train.state import load_optimizer, optimizer_tensors
from mtl_cli.train.step.base import Looked, Stepper, StepperState, StepRecord, UnusableStep
from mtl_cli.train.step.passes import Minimised, Passes, share_gradients
from mtl_cli.weighting.base import BadStep, Chosen, Weighted, Weighting, finite

_WEIGHTING = "weighting."
"""What the names of a weighting's own tensors begin with."""


class StandardStepper(Stepper):
    """Every task's loss over its rows of the step, and one update of all parameters.

    Args:
        model: on its device, in training mode.
        losses: what is minimised, by task in the order of the weighting's K.
        weighting: losses to gradients.
        optimizer: over the model's and the weighting's parameters.
        schedule: of the learning rates.
        loader: gives the batch of each step.
        clip_norm: length to which a longer gradient is cut; None: none is.
        diagnostics: looks at the tasks' gradients; None: nobody does.
        fabric: devices, precision, processes.
        stores: where task gradients are kept from step to step; None: a place of its own.
    """

    def __init__(
        self, *, model: MultiTaskModel, losses: Mapping[str, Minimised], weighting: Weighting, optimizer: torch.optim.Optimizer,
        schedule: Schedule, loader: StepLoader, clip_norm: float | None, diagnostics: Diagnostics | None, fabric: Fabric,
        stores: dict[Chosen, RowStore] | None = None,
    ) -> None:  # fmt: skip
        self._model, self._losses, self._weighting, self._optimizer = model, losses, weighting, optimizer
        self._schedule, self._loader, self._fabric, self._clip_norm = schedule, loader, fabric, clip_norm
        self._diagnostics = diagnostics
        self._stores: dict[Chosen, RowStore] = {} if stores is None else stores

    def step(self, step: int, looked: Looked) -> StepRecord:
        """See `Stepper.step`."""
        batch = self._loader.step(step)
        set_rates(self._optimizer, self._schedule.factor(step))
        passes = Passes(self._model, self._losses, batch, self._fabric, self._stores)
        if self._diagnostics is not None and self._diagnostics.due(step):
            found = self._diagnostics.look(passes, self._weighting.lambdas_K(step))
            looked(found, list(self._diagnostics.warnings(found)))
        try:
            weighted, norm = self._gradient(passes, batch, step)
        except BadStep as bad:
            self._optimizer.zero_grad(set_to_none=True)
            name = None if bad.task is None else tuple(self._losses)[bad.task]
            rows = passes.bad_rows(name) if name is not None and bad.subject == "loss" else ()
            raise UnusableStep(bad.subject, bad.finding, name, rows) from bad
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._weighting.after_step(passes, step)
        return self._record(batch, weighted, norm)

    def _gradient(self, passes: Passes, batch: StepBatch, step: int) -> tuple[Weighted, float]:
        """Leave the step's clipped gradient in `.grad`; what the weighting says, and the norm before clipping.

        Raises:
            BadStep: the step cannot be used.
        """
        weighted = self._weighting.backward(passes, step)
        finite(weighted.losses_K, passes.present_P)
        share_gradients(self._model, tuple(batch.units), self._fabric, passes.settled)
        return weighted, self._clip()

    def _clip(self) -> float:
        parameters = [p for group in self._optimizer.param_groups for p in group["params"] if p.grad is not None]
        limit = math.inf if self._clip_norm is None else self._clip_norm
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, limit, foreach=True))
        if not math.isfinite(norm):
            raise BadStep("gradient", "is not finite although every loss is")
        return norm

    def _record(self, batch: StepBatch, weighted: Weighted, norm: float) -> StepRecord:
        losses = dict(zip(self._losses, weighted.losses_K.tolist(), strict=True))
        weights = dict(zip(self._losses, weighted.weights_K.tolist(), strict=True))
        penalty = 0.0 if weighted.penalty is None else float(weighted.penalty)
        present = {name: loss for name, loss in losses.items() if name in batch.units}
        return StepRecord(present, weights, penalty, norm, batch.rows, batch.tokens)

    def lr(self, step: int) -> float:
        """See `Stepper.lr`."""
        return float(max(group["base_lr"] for group in self._optimizer.param_groups) * self._schedule.factor(step))

    def end_epoch(self) -> None:
        """The weighting hears of it."""
        self._weighting.end_epoch()

    def after_evaluation(self, values: Sequence[float]) -> None:
        """The weighting hears of them."""
        self._weighting.after_evaluation(values)

    def state_dict(self) -> StepperState:
        """Of loader, optimiser, weighting and diagnostics."""
        own = self._weighting.state_dict()
        tensors = {f"{_WEIGHTING}{name}": value for name, value in own.items() if isinstance(value, Tensor)}
        values = {
            "loader": self._loader.state_dict(),
            "diagnostics": self._diagnostics.state_dict() if self._diagnostics else None,
            "weighting": {name: value for name, value in own.items() if not isinstance(value, Tensor)},
        }
        return StepperState({**optimizer_tensors(self._optimizer), **tensors}, values)

    def load_state_dict(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """See `Stepper.load_state_dict`."""
        self._loader.load_state_dict(values["loader"])
        if self._diagnostics:
            self._diagnostics.load_state_dict(values["diagnostics"])
        load_optimizer(self._optimizer, tensors)
        own = {name.removeprefix(_WEIGHTING): t for name, t in tensors.items() if name.startswith(_WEIGHTING)}
        self._weighting.load_state_dict({**values["weighting"], **own})
