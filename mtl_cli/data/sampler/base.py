"""What a sampler provides. Legend: K tasks; N_i training rows of task i; p_i its chance; t the step, from 0."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

PerStep = Literal["mixed", "one_task"]


class Sampler(ABC):
    """Says how many rows of each task a step holds.

    Args:
        names_K: names of the tasks.
        sizes_K: training rows of each, N_i.
    """

    def __init__(self, names_K: Sequence[str], sizes_K: Sequence[int]) -> None:
        self.names_K = tuple(names_K)
        self.sizes_K = np.array(sizes_K, np.int64)

    @property
    @abstractmethod
    def chances_K(self) -> np.ndarray:
        """Expected share of rows of each task, sums to 1."""

    @property
    def every_task_each_step(self) -> bool:
        """Whether each step is sure to hold every task."""
        return False

    @abstractmethod
    def counts(self, step: int, size: int, rng: np.random.Generator) -> np.ndarray:
        """Rows of each task in one step, shape [K], summing to `size`; a function of its arguments and the state alone."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, as plain JSON values; most samplers need nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""


class ChanceSampler(Sampler):
    """Draws tasks by fixed chances p_i.

    Args:
        names_K: names of the tasks.
        sizes_K: training rows of each.
        per_step: "mixed": each row of a step is drawn by itself (a multinomial draw of the counts); "one_task": one draw decides the
            whole step.
    """

    def __init__(self, names_K: Sequence[str], sizes_K: Sequence[int], *, per_step: PerStep) -> None:
        super().__init__(names_K, sizes_K)
        self._per_step = per_step

    @abstractmethod
    def weights(self) -> np.ndarray:
        """Chances up to a factor, shape [K]."""

    @property
    def chances_K(self) -> np.ndarray:
        """p_i."""
        weights = self.weights().astype(np.float64)
        return weights / weights.sum()

    def counts(self, step: int, size: int, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG002
        """One multinomial draw."""
        if self._per_step == "mixed":
            return rng.multinomial(size, self.chances_K)
        return rng.multinomial(1, self.chances_K) * size
