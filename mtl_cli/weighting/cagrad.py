"""CAGrad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor
from torchjd.aggregation import CAGradWeighting

from mtl_cli.weighting.base import BadStep, RowDtype
from mtl_cli.weighting.gradient import AliveRows, GramianWeighting, solver


class CAGrad(GramianWeighting):
    """The direction within c |g_0| of the mean gradient g_0 that helps the worst task most (Liu, Liu et al. 2021, algorithm 1).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        c: radius; 0 is the mean, large values are near MGDA.
        rescale: what the direction is divided by; the paper's code divides by 1 + c^2.
    """

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        c: float,
        rescale: Literal["none", "1+c", "1+c^2"],
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        self._divisor = {"none": 1.0, "1+c": 1 + c, "1+c^2": 1 + c * c}[rescale]
        with solver("cvxpy and clarabel"):
            self._method = CAGradWeighting(c)
            from cvxpy.error import SolverError

        # TorchJD trips over the solution that is not there.
        self._failures: tuple[type[Exception], ...] = (SolverError, ValueError)

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`. Raises `BadStep` if the solver gives up."""
        try:
            weights_Q = self._method(rows.gramian_unit())
        except self._failures:
            raise BadStep("weights", "cannot be found: the solver gives up (a smaller weighting.c is easier)") from None
        return rows.count * weights_Q / self._divisor
