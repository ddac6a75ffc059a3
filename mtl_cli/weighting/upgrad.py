"""UPGrad."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torchjd.aggregation import UPGradWeighting

from mtl_cli.weighting.base import RowDtype
from mtl_cli.weighting.gradient import AliveRows, GramianWeighting, solver


class UPGrad(GramianWeighting):
    """Each g_i is projected on the cone of directions that harm no task, then the mean is taken (Quinton & Rey 2024, section 3).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
    """

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        with solver("quadprog and qpsolvers"):
            self._method = UPGradWeighting()

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`."""
        return rows.count * self._method(rows.gramian_unit())
