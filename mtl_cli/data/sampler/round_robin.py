"""One task a step, in turn."""

from __future__ import annotations

import numpy as np

from mtl_cli.data.sampler.base import Sampler


class RoundRobin(Sampler):
    """Step t holds task t mod K alone."""

    def chances_K(self, step: int) -> np.ndarray:  # noqa: ARG002
        """1 / K each."""
        return np.full(len(self.names_K), 1 / len(self.names_K))

    def counts(self, step: int, size: int, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG002
        """All rows from one task."""
        counts = np.zeros(len(self.names_K), np.int64)
        counts[step % len(self.names_K)] = size
        return counts
