"""Uncertainty weighting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchjd.scalarization import UW

from mtl_cli.weighting.scalar import Scalarised


class Uncertainty(Scalarised):
    """sum_i (1/2 e^{-s_i} v_i + 1/2 s_i) with s_i = log sigma_i^2 trained beside the model (Kendall, Gal & Cipolla 2018, section 3.2).

    The total may go below zero: s_i falls with the loss. Each task has a TorchJD `UW` of its own, so that the optimiser's moments of a
    task that is absent from a step stay as they are.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        log_variance: s_i at the start.
    """

    def __init__(
        self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]], *, log_variance: float
    ) -> None:
        super().__init__(names_K, lambdas)
        self._tasks = nn.ModuleList(UW(1) for _ in names_K)
        with torch.no_grad():
            for p in self._tasks.parameters():
                p.fill_(log_variance)

    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:  # noqa: ARG002
        """The sum over the tasks of the step."""
        values_P = lambdas_P * losses_P
        return torch.stack([self._tasks[k](values_P[i : i + 1]) for i, k in enumerate(present_P)]).sum()

    def parameters(self) -> Iterator[nn.Parameter]:
        """s_i."""
        return self._tasks.parameters()

    def state_dict(self) -> dict[str, Any]:
        """s_i."""
        return dict(self._tasks.state_dict())

    def load_state_dict(self, state: Any) -> None:
        """Go on from a saved state."""
        self._tasks.load_state_dict(state)
