"""SDMGrad."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchjd.aggregation import SDMGradWeighting

from mtl_cli.weighting.base import RowDtype
from mtl_cli.weighting.independent import IndependentWeighting


class SDMGrad(IndependentWeighting):
    """Near the mean gradient, w by projected steps on G_12 from two independent batches; d = J_3^T w (Xiao, Ban & Ji 2023, algorithm 1).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        lr: rate of w.
        momentum: of its steps.
        iterations: steps a solution.
        preference: lambda, the pull towards the mean gradient.
    """

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        lr: float,
        momentum: float,
        iterations: int,
        preference: float,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        self._method = SDMGradWeighting(lr, momentum, iterations, preference)

    def independent_weights(self, crossed_QQ: Tensor) -> Tensor:
        """w from J_1 J_2^T."""
        return self._method(crossed_QQ)

    def state_dict(self) -> dict[str, Any]:
        """w."""
        return {} if self._method._w is None else {"weights": self._method._w.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        if "weights" in state:
            weights = state["weights"].clone()
            self._method._w = weights
            self._method._state_key = (len(weights), weights.dtype, torch.device("cpu"))
