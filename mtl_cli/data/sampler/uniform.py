"""Every task alike."""

from __future__ import annotations

import numpy as np

from mtl_cli.data.sampler.base import ChanceSampler


class Uniform(ChanceSampler):
    """p_i = 1 / K, whatever the sizes."""

    def weights(self) -> np.ndarray:
        """Ones."""
        return np.ones(len(self.names_K))
