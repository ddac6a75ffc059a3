"""FairGrad."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torchjd.aggregation import FairGradWeighting

from mtl_cli.weighting.base import RowDtype
from mtl_cli.weighting.gradient import AliveRows, GramianWeighting


class FairGrad(GramianWeighting):
    """w solves G w = w^(-1/alpha): alpha-fair in how much each task gains (Ban & Ji 2024).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        alpha: 1 is proportional fairness, large values favour the worst task.
    """

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        alpha: float,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        if alpha <= 0:
            raise ValueError(f"alpha must be more than 0; found {alpha}")
        self._alpha = alpha
        # With 1, w_i takes back whatever g_i is multiplied by.
        self.scale_free = alpha == 1
        self._method = FairGradWeighting(alpha)

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`."""
        # The solver works on rows of length about 1: w(c G) = c^(-a / (1 + a)) w(G).
        return self._method(rows.gramian_unit()) * rows.unit ** (-self._alpha / (1 + self._alpha))
