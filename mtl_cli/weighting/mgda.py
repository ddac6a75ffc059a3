"""MGDA."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torchjd.aggregation import MGDAWeighting

from mtl_cli.weighting.base import RowDtype
from mtl_cli.weighting.gradient import AliveRows, GramianWeighting

TIE = 1e-6
"""Added to each mean squared length, so that of several equally short vectors that of the most even weights is found."""


class EvenMGDA(MGDAWeighting):
    """TorchJD's solver, which gives all weight to the first of two tasks with the same gradient, but for ties."""

    def forward(self, gramian: Tensor, /) -> Tensor:
        """Weights of a Gramian whose diagonal is about 1, shape [Q]."""
        return super().forward(gramian + TIE * torch.eye(len(gramian), dtype=gramian.dtype))  # type: ignore[arg-type]


class MGDA(GramianWeighting):
    """The shortest vector of the convex hull of the g_i, by Frank-Wolfe (Désidéri 2012; Sener & Koltun 2018, algorithm 2).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        epsilon: the search ends when a step is smaller.
        max_iters: or after so many steps.
    """

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        epsilon: float,
        max_iters: int,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        self._method = EvenMGDA(epsilon, max_iters)

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`."""
        return rows.count * self._method(rows.gramian_unit())
