"""Chances as the user gives them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.data.sampler.base import ChanceSampler, PerStep, each_task_named


class Explicit(ChanceSampler):
    """p_i as given, up to a factor.

    Args:
        names_K: names of the tasks.
        sizes_K: training rows of each.
        chances: one number a task, 0 or more.
        per_step: see `ChanceSampler`.
    """

    def __init__(
        self, names_K: Sequence[str], sizes_K: Sequence[int], *, chances: dict[str, float], per_step: PerStep
    ) -> None:
        super().__init__(names_K, sizes_K, per_step=per_step)
        each_task_named(chances, names_K)
        if min(chances.values()) < 0 or sum(chances.values()) <= 0:
            raise ValueError(f"chances must be 0 or more and not all 0; found {chances}")
        self._chances = np.array([chances[name] for name in names_K])

    def weights(self) -> np.ndarray:
        """As given."""
        return self._chances
