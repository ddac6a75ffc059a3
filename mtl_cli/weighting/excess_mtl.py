"""ExcessMTL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torchjd.aggregation import ExcessMTLWeighting

from mtl_cli.weighting.base import RowDtype, TaskGradients
from mtl_cli.weighting.gradient import Aggregated, AliveRows, GradientWeighting

BUFFERS = ("weights", "sq_grad_sum", "initial_w", "warmup_w_sum")


class ExcessMTL(GradientWeighting):
    """Weights grow with the excess risk that g_i^T diag(S_i)^(-1/2) g_i estimates, S_i the sum of squares (He et al. 2024, algorithm 1).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        eta: how fast weights move.
        warmup_steps: even weights for so long, and their mean risk is what later ones are measured by; without it the first step decides.
    """

    needs_every_task = True
    sparse = False

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        eta: float,
        warmup_steps: int,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        if warmup_steps < 1:
            raise ValueError(
                "warmup_steps must be at least 1: without a warm-up all weight goes to one task in the first step"
            )
        self._method = ExcessMTLWeighting(eta, warmup_steps)

    def aggregate(self, gradients: TaskGradients, rows: AliveRows, step: int) -> Aggregated:  # noqa: ARG002
        """Weights of the rows, times their number."""
        return rows.combined(rows.count * self._method(rows.matrix_QN()))

    def state_dict(self) -> dict[str, Any]:
        """Sums of squares, weights, risks of the warm-up, steps."""
        held = {name: getattr(self._method, f"_{name}") for name in BUFFERS}
        return {"steps": self._method._n_steps, **{name: v.clone() for name, v in held.items() if v is not None}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._method._n_steps = state["steps"]
        for name in BUFFERS:
            if name in state:
                setattr(self._method, f"_{name}", state[name].clone())
        sums = self._method._sq_grad_sum
        if sums is not None:
            self._method._state_key = (*sums.shape, sums.dtype, sums.device)
