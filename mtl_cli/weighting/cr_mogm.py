"""CR-MOGM."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchjd.aggregation import (
    CRMOGMWeighting,
    DualProjWeighting,
    IMTLGWeighting,
    PCGradWeighting,
    UPGradWeighting,
)

from mtl_cli.weighting.base import RowDtype
from mtl_cli.weighting.gradient import AliveRows, GramianWeighting, solver
from mtl_cli.weighting.mgda import EvenMGDA

METHODS = {
    "mgda": EvenMGDA,
    "pcgrad": PCGradWeighting,
    "upgrad": UPGradWeighting,
    "dualproj": DualProjWeighting,
    "imtl_g": IMTLGWeighting,
}


class CRMOGM(GramianWeighting):
    """The weights of another method, smoothed over the steps: w <- alpha w + (1 - alpha) w(G) (Zhou et al. 2022).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        of: the method that is smoothed.
        alpha: share of the old weights.
    """

    needs_every_task = True

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        of: Literal["mgda", "pcgrad", "upgrad", "dualproj", "imtl_g"],
        alpha: float,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        with solver("quadprog and qpsolvers"):
            self._method: Any = CRMOGMWeighting(METHODS[of](), alpha)
        # PCGrad's weights are those of a sum, all others' those of a mean.
        self._of_a_sum = of == "pcgrad"
        self._weights_K = torch.full((len(names_K),), torch.nan, dtype=torch.float64)

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`."""
        at = list(rows.tasks_Q)
        old_Q = self._weights_K[at]
        self._method._lambda = None if bool(old_Q.isnan().any()) else old_Q
        weights_Q = self._method(rows.gramian_unit())
        self._weights_K[at] = weights_Q
        return weights_Q if self._of_a_sum else rows.count * weights_Q

    def state_dict(self) -> dict[str, Any]:
        """The smoothed weights."""
        return {"weights": self._weights_K}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._weights_K = state["weights"].clone()
