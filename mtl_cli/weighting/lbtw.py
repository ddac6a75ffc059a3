"""Loss-balanced task weighting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl_cli.weighting.scalar import Scalarised


class LBTW(Scalarised):
    """Weights (L_i / L_i of the epoch's first step)^alpha, not differentiated (Liu, Liang & Gitter 2019, algorithm 1).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights, by which the method's are multiplied.
        alpha: 0 is plain, 1 follows the losses.
    """

    def __init__(self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]], *, alpha: float) -> None:
        super().__init__(names_K, lambdas)
        self._alpha = alpha
        self._first_K = torch.full((len(names_K),), torch.nan)

    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:  # noqa: ARG002
        """sum_i weight_i v_i."""
        now_P = losses_P.detach()
        known_P = self._first_K[present_P]
        self._first_K[present_P] = torch.where(known_P.isnan(), now_P, known_P)
        ratios_P = now_P / self._first_K[present_P].clamp(min=torch.finfo(now_P.dtype).tiny)
        return (ratios_P.pow(self._alpha) * lambdas_P * losses_P).sum()

    def end_epoch(self) -> None:
        """The next step is the first of its epoch."""
        self._first_K = torch.full_like(self._first_K, torch.nan)

    def state_dict(self) -> dict[str, Any]:
        """The first losses of the epoch."""
        return {"first": self._first_K}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._first_K = state["first"].clone()
