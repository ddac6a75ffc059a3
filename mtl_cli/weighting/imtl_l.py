"""IMTL-L."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchjd.scalarization import IMTLL

from mtl_cli.weighting.scalar import Scalarised


class IMTLLoss(Scalarised):
    """sum_i (e^{s_i} v_i - s_i) with s_i trained beside the model, 0 at first (Liu, Li et al. 2021, section 3.2).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
    """

    def __init__(self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]]) -> None:
        super().__init__(names_K, lambdas)
        self._tasks = nn.ModuleList(IMTLL(1) for _ in names_K)

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
