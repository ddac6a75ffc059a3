"""Learning-rate schedules: pure functions of the step, so that nothing has to be saved.

Legend: t the step from 0, T all steps, w the steps of linear warm-up (rate (t + 1) / (w + 1)).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod


class Schedule(ABC):
    """Factor on every learning rate.

    Args:
        total: T.
        warmup: w, as a number of steps if 1 or more, as a share of T below 1.
    """

    def __init__(self, total: int, *, warmup: float) -> None:
        if warmup < 0:
            raise ValueError(f"warmup must be 0 or more; found {warmup}")
        self.total = total
        self.warmup = int(warmup) if warmup >= 1 else math.floor(warmup * total)
        if self.warmup >= total > 0 and self.warmup:
            raise ValueError(f"warmup takes {self.warmup} steps, but the run has {total}")

    def factor(self, step: int) -> float:
        """Factor for the update of step t."""
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        return self.after((step - self.warmup) / max(1, self.total - self.warmup), step)

    @abstractmethod
    def after(self, progress: float, step: int) -> float:
        """Factor behind the warm-up; progress goes from 0 to just below 1."""


class Constant(Schedule):
    """1."""

    def after(self, progress: float, step: int) -> float:  # noqa: ARG002
        """1."""
        return 1.0


class Linear(Schedule):
    """1 - progress."""

    def after(self, progress: float, step: int) -> float:  # noqa: ARG002
        """Falls to 0."""
        return 1.0 - progress


class Cosine(Schedule):
    """floor + (1 - floor) (1 + cos(pi progress)) / 2.

    Args:
        total: T.
        warmup: w.
        floor: factor at the end.
    """

    def __init__(self, total: int, *, warmup: float, floor: float) -> None:
        super().__init__(total, warmup=warmup)
        if not 0 <= floor <= 1:
            raise ValueError(f"floor must lie in [0, 1]; found {floor}")
        self._floor = floor

    def after(self, progress: float, step: int) -> float:  # noqa: ARG002
        """Half a cosine."""
        return self._floor + (1 - self._floor) * (1 + math.cos(math.pi * progress)) / 2


class Polynomial(Schedule):
    """(1 - progress)^power.

    Args:
        total: T.
        warmup: w.
        power: the exponent.
    """

    def __init__(self, total: int, *, warmup: float, power: float) -> None:
        super().__init__(total, warmup=warmup)
        if power <= 0:
            raise ValueError(f"power must be more than 0; found {power}")
        self._power = power

    def after(self, progress: float, step: int) -> float:  # noqa: ARG002
        """Falls to 0."""
        return float((1.0 - progress) ** self._power)


class InverseSqrt(Schedule):
    """sqrt(max(w, 1) / (t + 1)), as in Vaswani et al. 2017, section 5.3."""

    def after(self, progress: float, step: int) -> float:  # noqa: ARG002
        """Falls with the root of the step."""
        return math.sqrt(max(self.warmup, 1) / (step + 1))
