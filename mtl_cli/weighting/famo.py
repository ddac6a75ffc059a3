"""FAMO."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchjd.scalarization import FAMO as TorchJDFAMO  # noqa: N811

from mtl_cli.weighting.base import StepPasses
from mtl_cli.weighting.scalar import Scalarised, positive


class FAMO(Scalarised):
    """c sum_i z_i log L_i, z = softmax(xi); xi follows the losses' fall at the new point (Liu, Feng et al. 2023).

    One forward pass of the step's rows more than a plain step.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        lr: rate of the Adam that moves xi.
        weight_decay: its decay (1e-3 in the paper, 1e-5 in its code).
    """

    needs_every_task = True
    scale_free = True

    def __init__(
        self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]], *, lr: float, weight_decay: float
    ) -> None:
        super().__init__(names_K, lambdas)
        self._method = TorchJDFAMO(len(names_K), lr=lr, weight_decay=weight_decay)

    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:  # noqa: ARG002
        """TorchJD's scalar."""
        return self._method(positive(losses_P, present_P))

    def after_step(self, passes: StepPasses, step: int) -> None:  # noqa: ARG002
        """Move xi by what the step did to the losses of the same rows."""
        if len(self.names_K) > 1:
            losses_P = passes.again()[list(passes.present_P)].cpu()
            # A loss that has no logarithm at the new point says nothing about the weights; the next step finds it.
            if bool((losses_P.isfinite() & (losses_P > 0)).all()):
                self._method.update(losses_P)

    def state_dict(self) -> dict[str, Any]:
        """xi and the moments of its Adam, which TorchJD's own `state_dict` leaves out."""
        optimizer = self._method._optimizer
        moments = optimizer.state_dict()["state"].get(0, {}) if optimizer else {}
        return {"xi": self._method._w.detach().clone(), **{f"adam.{n}": v.clone() for n, v in moments.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        method = self._method
        with torch.no_grad():
            method._w.copy_(state["xi"])
        moments = {n.removeprefix("adam."): v.clone() for n, v in state.items() if n.startswith("adam.")}
        if moments:
            method._optimizer = torch.optim.Adam([method._w], lr=method.lr, weight_decay=method.weight_decay)
            groups = method._optimizer.state_dict()["param_groups"]
            method._optimizer.load_state_dict({"state": {0: moments}, "param_groups": groups})
