"""What a sampler provides. Legend: K tasks; N_i training rows of task i; p_i its chance; t the step, from 0."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mtl_cli.errors import did_you_mean

PerStep = Literal["mixed", "one_task"]


@dataclass(frozen=True)
class Length:
    """How long a run is."""

    steps: int
    epoch_steps: int
    """Steps that draw as many rows as all tasks have together."""

    def epoch(self, step: int) -> float:
        """Passes over the data before a step."""
        return step / self.epoch_steps


@dataclass(frozen=True)
class Observed:
    """What an evaluation found of one task's validation rows."""

    task: str
    score: float
    """Mean of its metrics; NaN if one has no value."""
    entropy: float | None
    """Mean over the rows of -sum_c q_c log q_c / log C with the model's class probabilities q: 0 sure, 1 no idea; None without classes."""


class Sampler(ABC):
    """Says how many rows of each task a step holds.

    Args:
        names_K: names of the tasks.
        sizes_K: training rows of each, N_i.
    """

    needs_classes = False
    """Whether it looks at the entropy of class probabilities: a task without classes cannot be sampled so."""
    needs_rising_scores = False
    """Whether it compares scores with their best: a task whose score is an error cannot be sampled so."""
    needs_evaluations = False
    """Whether it is nothing but uniform before the first evaluation: a run without one on the way cannot be sampled so."""
    length: Length
    """Of the run; there from `begin` on."""

    def __init__(self, names_K: Sequence[str], sizes_K: Sequence[int]) -> None:
        self.names_K = tuple(names_K)
        self.sizes_K = np.array(sizes_K, np.int64)

    def begin(self, length: Length) -> None:
        """Told once before the first step. Raises `ValueError` if it has no chances for some step of such a run."""
        self.length = length

    @abstractmethod
    def chances_K(self, step: int) -> np.ndarray:
        """Expected share of rows of each task in a step, shape [K], sums to 1."""

    @property
    def every_task_each_step(self) -> bool:
        """Whether each step is sure to hold every task."""
        return False

    @abstractmethod
    def counts(self, step: int, size: int, rng: np.random.Generator) -> np.ndarray:
        """Rows of each task in one step, shape [K], summing to `size`; a function of its arguments and the state alone."""

    def observe(self, observed: Sequence[Observed]) -> None:
        """Told after each evaluation, in the order of the tasks; the same twice changes nothing. Steps planned before keep their counts."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, as plain JSON values; most samplers need nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""


class ChangingChances(Sampler):
    """Draws tasks by chances p_i(t).

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
    def weights_at(self, step: int) -> np.ndarray:
        """Chances up to a factor, shape [K]."""

    def chances_K(self, step: int) -> np.ndarray:
        """p_i(t)."""
        weights = self.weights_at(step).astype(np.float64)
        return weights / weights.sum()

    def counts(self, step: int, size: int, rng: np.random.Generator) -> np.ndarray:
        """One multinomial draw."""
        if self._per_step == "mixed":
            return rng.multinomial(size, self.chances_K(step))
        return rng.multinomial(1, self.chances_K(step)) * size


class ChanceSampler(ChangingChances):
    """Draws tasks by fixed chances p_i; arguments as `ChangingChances`."""

    @abstractmethod
    def weights(self) -> np.ndarray:
        """Chances up to a factor, shape [K]."""

    def weights_at(self, step: int) -> np.ndarray:  # noqa: ARG002
        """The same at each step."""
        return self.weights()


class NeedSampler(ChangingChances):
    """p_i ~ floor + need_i, where need_i follows from the last evaluation; all alike before the first.

    Args:
        names_K: names of the tasks.
        sizes_K: training rows of each.
        floor: what a task keeps that needs nothing; 0 or more.
        per_step: see `ChangingChances`.
    """

    needs_evaluations = True

    def __init__(self, names_K: Sequence[str], sizes_K: Sequence[int], *, floor: float, per_step: PerStep) -> None:
        super().__init__(names_K, sizes_K, per_step=per_step)
        if floor < 0:
            raise ValueError(f"floor must be 0 or more; found {floor}")
        self._floor = floor
        self._need: dict[str, float] = {}

    @abstractmethod
    def need(self, observed: Observed) -> float:
        """need_i, 0 or more."""

    def observe(self, observed: Sequence[Observed]) -> None:
        """Take the needs from here on."""
        self._need = {one.task: self.need(one) for one in observed}

    def weights_at(self, step: int) -> np.ndarray:  # noqa: ARG002
        """floor + need_i; ones if there is nothing to go by."""
        weights = np.array([self._floor + self._need.get(name, 1.0) for name in self.names_K])
        return weights if weights.sum() > 0 else np.ones(len(weights))

    def state_dict(self) -> dict[str, Any]:
        """Needs of the last evaluation."""
        return {"need": self._need}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with them."""
        self._need = dict(state["need"])


def unknown_tasks(given: Iterable[str], names_K: Sequence[str]) -> list[str]:
    """Names that are no task of the run, as 'name' (suggestion)."""
    return [f"'{name}' ({did_you_mean(name, names_K)})" for name in given if name not in names_K]


def each_task_named(given: Iterable[str], names_K: Sequence[str]) -> None:
    """Raise `ValueError` unless chances are given for the run's tasks and no others."""
    unknown = unknown_tasks(given, names_K)
    missing = [f"'{name}'" for name in names_K if name not in given]
    parts = [f"no task {', '.join(unknown)}"] * bool(unknown) + [f"no chance for {', '.join(missing)}"] * bool(missing)
    if parts:
        raise ValueError("chances must name each task: " + "; ".join(parts))
