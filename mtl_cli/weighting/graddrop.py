"""Gradient sign dropout."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torchjd.aggregation import GradDrop as TorchJDGradDrop

from mtl_cli.weighting.base import RowDtype, TaskGradients
from mtl_cli.weighting.gradient import Aggregated, AliveRows, GradientWeighting


class GradDrop(GradientWeighting):
    """Each coordinate keeps the parts of one sign, drawn by how much of the gradient has it (Chen et al. 2020, algorithm 1).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        leak: share of each g_i that passes whatever its sign.
    """

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        leak: float,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        if not 0 <= leak <= 1:
            raise ValueError(f"leak must lie in [0, 1]; found {leak}")
        self._leak = leak

    def aggregate(self, gradients: TaskGradients, rows: AliveRows, step: int) -> Aggregated:  # noqa: ARG002
        """d, which is no combination of the rows."""
        method = TorchJDGradDrop(leak=torch.full((rows.count,), self._leak, device=gradients.matrix_PN.device))
        # Where every gradient is zero there is no sign: 0 / 0.
        direction_N = method(rows.matrix_QN()).nan_to_num_(0.0)
        return Aggregated(direction_N, rows.spread(torch.full((rows.count,), torch.nan)))
