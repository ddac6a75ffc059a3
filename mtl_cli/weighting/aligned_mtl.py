"""Aligned-MTL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor
from torchjd.aggregation import AlignedMTLWeighting

from mtl_cli.weighting.base import RowDtype
from mtl_cli.weighting.gradient import AliveRows, GramianWeighting


class AlignedMTL(GramianWeighting):
    """The g_i are made orthogonal and of one length, then averaged (Senushkin et al. 2023, algorithm 1).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        scale_mode: which singular value gives the common length.
    """

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        scale_mode: Literal["min", "median", "rmse"],
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        self._method = AlignedMTLWeighting(scale_mode=scale_mode)

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`."""
        return rows.count * self._method(rows.gramian_unit())
