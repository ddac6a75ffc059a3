"""Uncertainty weighting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torchjd.scalarization import UW

from mtl_cli.weighting.scalar import LearnedScalars


class Uncertainty(LearnedScalars):
    """sum_i (1/2 e^{-s_i} v_i + 1/2 s_i) with s_i = log sigma_i^2 trained beside the model (Kendall, Gal & Cipolla 2018, section 3.2).

    The total may go below zero: s_i falls with the loss.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        log_variance: s_i at the start.
    """

    def __init__(
        self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]], *, log_variance: float
    ) -> None:
        super().__init__(names_K, lambdas, lambda: UW(1))
        with torch.no_grad():
            for p in self._tasks.parameters():
                p.fill_(log_variance)
