"""Every task in every step."""

from __future__ import annotations

import numpy as np

from mtl_cli.data.sampler.base import Sampler


class AllTasks(Sampler):
    """Each step holds size // K rows of each task; what is left over goes round."""

    def chances_K(self, step: int) -> np.ndarray:  # noqa: ARG002
        """1 / K each."""
        return np.full(len(self.names_K), 1 / len(self.names_K))

    @property
    def every_task_each_step(self) -> bool:
        """True."""
        return True

    def counts(self, step: int, size: int, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG002
        """As even as can be. Raises `ValueError` if there are more tasks than rows."""
        tasks = len(self.names_K)
        each, left = divmod(size, tasks)
        if not each:
            raise ValueError(f"batch.size={size} has no room for all {tasks} tasks in each step")
        counts = np.full(tasks, each, np.int64)
        counts[(step * left + np.arange(left)) % tasks] += 1
        return counts
