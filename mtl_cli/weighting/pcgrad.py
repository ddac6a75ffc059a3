"""PCGrad."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torchjd.aggregation import PCGradWeighting

from mtl_cli.weighting.base import RowDtype
from mtl_cli.weighting.gradient import AliveRows, GramianWeighting


class PCGrad(GramianWeighting):
    """Each g_i loses its part against every g_j that it conflicts with, in random order; then the sum (Yu et al. 2020, algorithm 1).

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
        self._method = PCGradWeighting()

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`."""
        return self._method(rows.gramian_unit())
