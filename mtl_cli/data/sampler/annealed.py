"""From proportional towards uniform as the run goes on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.data.sampler.base import ChangingChances, PerStep


class Annealed(ChangingChances):
    """p_i ~ N_i^(1 - drop t / (T - 1)) at step t of T (Stickland and Murray 2019, "annealed sampling": 1 - 0.8 (e - 1) / (E - 1)).

    Differs from the paper, where the exponent changes from epoch e to epoch e + 1 of E: here it moves with every step between
    the same ends, so that a run of one epoch is annealed too.

    Args:
        names_K: names of the tasks.
        sizes_K: training rows of each.
        drop: by how much the exponent falls from 1; 0 stays proportional, 1 ends uniform.
        per_step: see `ChangingChances`.
    """

    def __init__(self, names_K: Sequence[str], sizes_K: Sequence[int], *, drop: float, per_step: PerStep) -> None:
        super().__init__(names_K, sizes_K, per_step=per_step)
        if not 0 <= drop <= 1:
            raise ValueError(
                f"drop must lie between 0 (proportional throughout) and 1 (uniform at the end); found {drop}"
            )
        self._drop = drop

    def weights_at(self, step: int) -> np.ndarray:
        """N_i to the power of the step."""
        done = min(1.0, step / max(1, self.length.steps - 1))  # a window may be planned beyond the end
        return (self.sizes_K / self.sizes_K.max()) ** (1 - self._drop * done)
