"""Between proportional and uniform."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.data.sampler.base import ChanceSampler, PerStep


class Temperature(ChanceSampler):
    """p_i ~ min(N_i, K)^(1/T), with the cap K (Raffel et al. 2020, section 3.5.2).

    Args:
        names_K: names of the tasks.
        sizes_K: training rows of each.
        temperature: T; 1 is proportional, large is uniform.
        cap: rows a task counts for at most; None for no cap.
        per_step: see `ChanceSampler`.
    """

    def __init__(
        self, names_K: Sequence[str], sizes_K: Sequence[int], *, temperature: float, cap: int | None, per_step: PerStep
    ) -> None:
        super().__init__(names_K, sizes_K, per_step=per_step)
        if temperature <= 0:
            raise ValueError(f"temperature must be more than 0; found {temperature}")
        if cap is not None and cap < 1:
            raise ValueError(f"cap must be at least 1 row; found {cap}")
        self._temperature, self._cap = temperature, cap

    def weights(self) -> np.ndarray:
        """min(N_i, K)^(1/T), over the largest of them: a low T does not overflow."""
        capped = self.sizes_K if self._cap is None else np.minimum(self.sizes_K, self._cap)
        return (capped / capped.max()) ** (1 / self._temperature)
