"""IMTL-G."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torchjd.aggregation import IMTLGWeighting

from mtl_cli.weighting.base import RowDtype
from mtl_cli.weighting.gradient import AliveRows, GramianWeighting


class IMTLG(GramianWeighting):
    """The combination with equal projections on all g_i / |g_i|, weights summing to one (Liu, Li et al. 2021).

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
        self._method = IMTLGWeighting()

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`."""
        return rows.count * self._method(rows.gramian_unit())
