"""Nash-MTL."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchjd.aggregation import NashMTL as TorchJDNashMTL

from mtl_cli.weighting.base import RowDtype
from mtl_cli.weighting.gradient import AliveRows, GramianWeighting, solver


class NashMTL(GramianWeighting):
    """w solves G w = 1 / w: the Nash bargaining solution (Navon et al. 2022), by the paper's convex programs.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        max_norm: the direction is cut to this length; 0: never.
        update_every: steps that share one solution.
        iterations: convex programs a solution at most.
    """

    needs_every_task = True
    scale_free = True

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        max_norm: float,
        update_every: int,
        iterations: int,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        with solver("cvxpy and ecos"):
            self._method = TorchJDNashMTL(len(names_K), max_norm, update_every, iterations).weighting

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`."""
        # TorchJD asks for J, but uses J J^T and lengths of combinations alone: any root of the Gramian serves.
        values_Q, vectors_QQ = torch.linalg.eigh(rows.gramian_QQ.double())
        with warnings.catch_warnings():
            # cvxpy's word on the form of TorchJD's program: it is as slow as it is.
            warnings.filterwarnings("ignore", message="You are solving a parameterized problem that is not DPP")
            return self._method(vectors_QQ * values_Q.clamp(min=0).sqrt())

    def state_dict(self) -> dict[str, Any]:
        """Steps so far and the last solution, where the next one starts."""
        return {"step": float(self._method.step), "weights": torch.from_numpy(self._method.prvs_alpha.copy())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._method.prvs_alpha = state["weights"].numpy().copy()
        if state["step"]:
            self._method._init_optim_problem()
        self._method.step = state["step"]
