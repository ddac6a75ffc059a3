"""Each task as often as it has rows."""

from __future__ import annotations

import numpy as np

from mtl_cli.data.sampler.base import ChanceSampler


class Proportional(ChanceSampler):
    """p_i ~ N_i: what shuffling all rows together gives on average."""

    def weights(self) -> np.ndarray:
        """N_i."""
        return self.sizes_K
