"""MoCo."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl_cli.weighting.base import RowDtype, TaskGradients
from mtl_cli.weighting.gradient import Aggregated, AliveRows, GradientWeighting


class MoCo(GradientWeighting):
    """Tracked gradients Y and weights on the simplex that follow their conflict: d = Y^T w (Fernando et al. 2023).

    The paper projects w on the simplex; as in LibMTL, a softmax puts it there.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        beta: rate of Y at step k: beta / k^beta_sigma.
        beta_sigma: see beta.
        gamma: rate of w at step k: gamma / k^gamma_sigma.
        gamma_sigma: see gamma.
        rho: pull of w towards the middle.
    """

    sparse = False

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        beta: float,
        beta_sigma: float,
        gamma: float,
        gamma_sigma: float,
        rho: float,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        if not (
            0 < beta <= 1 and 0 <= gamma < math.inf and 0 <= rho < math.inf and beta_sigma >= 0 and gamma_sigma >= 0
        ):
            raise ValueError(
                "beta must lie in (0, 1], gamma, rho and both sigmas be 0 or more and finite; "
                f"found {beta}, {gamma}, {rho}, {beta_sigma}, {gamma_sigma}"
            )
        self._beta, self._beta_sigma, self._gamma, self._gamma_sigma, self._rho = (
            beta,
            beta_sigma,
            gamma,
            gamma_sigma,
            rho,
        )
        self._tracked_KN: Tensor | None = None
        self._weights_K = torch.full((len(names_K),), 1 / len(names_K))
        self._steps = 0

    def aggregate(self, gradients: TaskGradients, rows: AliveRows, step: int) -> Aggregated:
        """Move Y towards g_i / |g_i| v_i, then w."""
        self._steps += 1
        matrix_QN, at = rows.matrix_QN(), list(rows.tasks_Q)
        if self._tracked_KN is None:
            self._tracked_KN = torch.zeros(len(self.names_K), matrix_QN.shape[1], device=matrix_QN.device)
        rate = self._beta / self._steps**self._beta_sigma
        lengths_Q = rows.gramian_QQ.diagonal().sqrt().to(matrix_QN.device)
        values_Q = self.lambdas_K(step).to(matrix_QN.device)[at] * gradients.losses_K[at]
        for q, k in enumerate(at):
            self._tracked_KN[k] += rate * (matrix_QN[q] * (values_Q[q] / lengths_Q[q]) - self._tracked_KN[k])
        tracked_QN = self._tracked_KN[at]
        gramian_QQ = (tracked_QN @ tracked_QN.T).cpu()
        old_Q = self._weights_K[at]
        pull_Q = gramian_QQ @ old_Q + self._rho * old_Q
        new_Q = torch.softmax(old_Q - self._gamma / self._steps**self._gamma_sigma * pull_Q, 0)
        # What the tasks of this step share stays what it was.
        self._weights_K[at] = new_Q * old_Q.sum()
        return Aggregated(
            rows.count * (new_Q.to(tracked_QN.device) @ tracked_QN), rows.spread(torch.full((rows.count,), torch.nan))
        )

    def state_dict(self) -> dict[str, Any]:
        """Y, w and the number of steps."""
        tracked = {} if self._tracked_KN is None else {"tracked": self._tracked_KN}
        return {"weights": self._weights_K, "steps": self._steps, **tracked}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._weights_K, self._steps = state["weights"].clone(), state["steps"]
        self._tracked_KN = state["tracked"].clone() if "tracked" in state else None
