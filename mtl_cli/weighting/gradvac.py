"""Gradient vaccine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchjd.aggregation import GradVacWeighting

from mtl_cli.weighting.base import RowDtype
from mtl_cli.weighting.gradient import AliveRows, GramianWeighting


class GradVac(GramianWeighting):
    """Like PCGrad, but each pair is brought up to its own usual cosine, a moving average (Wang, Tsvetkov et al. 2021, algorithm 1).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        beta: share of the newest cosine in the average.
    """

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        beta: float,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        self._method: Any = GradVacWeighting(beta)
        self._cosines_KK = torch.zeros(len(names_K), len(names_K), dtype=torch.float64)

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`."""
        at = torch.tensor(rows.tasks_Q)
        gramian_QQ = rows.gramian_unit()
        # TorchJD's object is lent the averages of the tasks in the step, so that those of absent ones stay as they are.
        self._method._phi_t = self._cosines_KK[at[:, None], at]
        self._method._state_key = (rows.count, gramian_QQ.dtype)
        weights_Q = self._method(gramian_QQ)
        self._cosines_KK[at[:, None], at] = self._method._phi_t
        return weights_Q

    def state_dict(self) -> dict[str, Any]:
        """The averages."""
        return {"cosines": self._cosines_KK}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._cosines_KK = state["cosines"].clone()
