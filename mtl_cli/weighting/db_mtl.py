"""DB-MTL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl_cli.weighting.base import RowDtype, TaskGradients
from mtl_cli.weighting.gradient import Aggregated, AliveRows, GradientWeighting


class DBMTL(GradientWeighting):
    """Gradients of log L_i, smoothed over steps and brought to the largest one's length, then summed (Lin, Jiang et al. 2023, algorithm 1).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        beta: share of the old gradient at step k: beta / k^sigma.
        sigma: see beta.
    """

    sparse = False
    scale_free = True

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        beta: float,
        sigma: float,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        if not 0 <= beta < 1:
            raise ValueError(f"beta must lie in [0, 1); found {beta}")
        self._beta, self._sigma = beta, sigma
        self._tracked_KN: Tensor | None = None
        self._steps = 0

    def aggregate(self, gradients: TaskGradients, rows: AliveRows, step: int) -> Aggregated:  # noqa: ARG002
        """Smooth, balance, sum."""
        self._steps += 1
        matrix_QN, at = rows.matrix_QN(), list(rows.tasks_Q)
        if self._tracked_KN is None:
            self._tracked_KN = torch.zeros(len(self.names_K), matrix_QN.shape[1], device=matrix_QN.device)
        share = self._beta / self._steps**self._sigma
        for q, k in enumerate(at):
            # grad log L_i = g_i / L_i; in the first step the average is of zeros, as in LibMTL.
            self._tracked_KN[k].mul_(share).add_(matrix_QN[q] / rows.losses_Q[q], alpha=1 - share)
        tracked_QN = self._tracked_KN[at]
        lengths_Q = tracked_QN.norm(dim=1)
        direction_N = (lengths_Q.max() / lengths_Q) @ tracked_QN
        return Aggregated(direction_N, rows.spread(torch.full((rows.count,), torch.nan)))

    def state_dict(self) -> dict[str, Any]:
        """The smoothed gradients and the number of steps."""
        return {"steps": self._steps, **({} if self._tracked_KN is None else {"tracked": self._tracked_KN})}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._steps = state["steps"]
        self._tracked_KN = state["tracked"].clone() if "tracked" in state else None
