"""Shares of the data, smoothed by a power."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.data.sampler.base import ChanceSampler, PerStep


class Smoothing(ChanceSampler):
    """p_i ~ (N_i / N)^alpha with N = sum_i N_i (MaChAmp: van der Goot et al. 2021, multinomial smoothing).

    Args:
        names_K: names of the tasks.
        sizes_K: training rows of each.
        alpha: 1 is proportional, 0 uniform; `temperature` has the same with alpha = 1 / T, and a cap.
        per_step: see `ChangingChances`.
    """

    def __init__(self, names_K: Sequence[str], sizes_K: Sequence[int], *, alpha: float, per_step: PerStep) -> None:
        super().__init__(names_K, sizes_K, per_step=per_step)
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must lie between 0 (uniform) and 1 (proportional); found {alpha}")
        self._alpha = alpha

    def weights(self) -> np.ndarray:
        """(N_i / N)^alpha."""
        return (self.sizes_K / self.sizes_K.sum()) ** self._alpha
