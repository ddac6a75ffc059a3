"""Chances as expressions of the step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.data.sampler.base import ChangingChances, Length, PerStep, each_task_named
from mtl_cli.errors import RunError
from mtl_cli.expression import Expression, tried, value_at


class ExpressionSampler(ChangingChances):
    """p_i ~ f_i(t), as given.

    Args:
        names_K: names of the tasks.
        sizes_K: training rows of each.
        chances: one number or expression of step, steps and epoch a task; 0 or more, not all 0 at once.
        per_step: see `ChangingChances`.
    """

    def __init__(
        self,
        names_K: Sequence[str],
        sizes_K: Sequence[int],
        *,
        chances: dict[str, float | Expression],
        per_step: PerStep,
    ) -> None:
        super().__init__(names_K, sizes_K, per_step=per_step)
        each_task_named(chances, names_K)
        self._chances = {name: chances[name] for name in names_K}

    def begin(self, length: Length) -> None:
        """Try the steps of the run."""
        super().begin(length)
        for step in tried(length.steps):
            self._values(step)

    def weights_at(self, step: int) -> np.ndarray:
        """f_i(t). Raises `RunError`, naming task and step, if one is negative or not finite, or if all are 0."""
        try:
            return self._values(min(step, self.length.steps - 1))  # a window may be planned beyond the end
        except ValueError as error:
            raise RunError(str(error)) from None

    def _values(self, step: int) -> np.ndarray:
        weights = np.array([self._value(name, step) for name in self.names_K])
        if weights.sum() <= 0:
            raise ValueError(f"all chances are 0 at step {step}: no task could be drawn")
        return weights

    def _value(self, name: str, step: int) -> float:
        try:
            return value_at(self._chances[name], step, self.length.steps, self.length.epoch(step))
        except ValueError as error:
            raise ValueError(f"the chance of '{name}': {error}") from None
