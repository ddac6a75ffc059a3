"""Dynamic task prioritisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl_cli.weighting.base import StepPasses, Weighted, Weighting

LEAST = 1e-3


class DTP(Weighting):
    """Weights -(1 - k_i)^gamma log k_i, k_i a moving average of task i's score (Guo et al. 2018).

    k_i is the score on the validation rows at each evaluation, cut to [0.001, 0.999]; before the first one every weight is lambda_i.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights, by which the method's are multiplied.
        gamma: how sharply hard tasks go first.
        smoothing: alpha, the share of the newest score in the average.
    """

    needs_evaluations = True

    def __init__(
        self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]], *, gamma: float, smoothing: float
    ) -> None:
        super().__init__(names_K, lambdas)
        if gamma < 0 or not 0 < smoothing <= 1:
            raise ValueError(f"gamma must be 0 or more, smoothing in (0, 1]; found {gamma}, {smoothing}")
        self._gamma, self._smoothing = gamma, smoothing
        self._k_K: list[float] = []

    def weigh(self, passes: StepPasses, step: int) -> Weighted:
        """One backward pass a forward pass."""
        return passes.accumulate(self.lambdas_K(step) * self._weights_K())

    def _weights_K(self) -> Tensor:
        return torch.tensor([-((1 - k) ** self._gamma) * math.log(k) for k in self._k_K] or [1.0] * len(self.names_K))

    def after_evaluation(self, scores_K: Sequence[float]) -> None:
        """Move the averages."""
        # A score without a value, such as the correlation of predictions that are all alike, is as good as none.
        cut = [LEAST if math.isnan(s) else min(max(float(s), LEAST), 1 - LEAST) for s in scores_K]
        a = self._smoothing
        self._k_K = [a * s + (1 - a) * k for s, k in zip(cut, self._k_K or cut, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """The averages."""
        return {"k": list(self._k_K)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._k_K = list(state["k"])
