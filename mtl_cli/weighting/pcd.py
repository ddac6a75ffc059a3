"""Primary conic descent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchjd.aggregation import PCDWeighting

from mtl_cli.weighting.base import RowDtype
from mtl_cli.weighting.gradient import AliveRows, GramianWeighting


class PCD(GramianWeighting):
    """Nearest to the primary task's gradient while every other task makes progress ("Not All Objectives Are Born Equal", TMLR 2026).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        primary: the task that counts; None: the first one.
        tau: least cosine with each other task.
        beta: of the moving average of squared lengths.
    """

    needs_every_task = True

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        primary: str | None,
        tau: float,
        beta: float,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        if primary is not None and primary not in names_K:
            raise ValueError(f"primary: no task is called '{primary}'; the tasks are {', '.join(names_K)}")
        self._primary = 0 if primary is None else list(names_K).index(primary)
        self._method: Any = PCDWeighting(tau, beta)
        self._squares_K = torch.zeros(len(names_K), dtype=torch.float64)
        self._steps = 0

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`."""
        order = sorted(range(rows.count), key=lambda q: rows.tasks_Q[q] != self._primary)
        at = [rows.tasks_Q[q] for q in order]
        self._method._sq_norm_ema, self._method._state_key = self._squares_K[at], rows.count
        self._method._n_steps = torch.tensor(self._steps)
        ordered_Q = self._method(rows.gramian_QQ.double()[order][:, order])
        self._squares_K[at] = self._method._sq_norm_ema
        self._steps += 1
        weights_Q = torch.empty_like(ordered_Q)
        weights_Q[order] = ordered_Q
        return weights_Q

    def state_dict(self) -> dict[str, Any]:
        """The moving average and how many steps are in it."""
        return {"squares": self._squares_K, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._squares_K, self._steps = state["squares"].clone(), state["steps"]
