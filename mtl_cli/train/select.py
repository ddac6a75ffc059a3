"""Which checkpoint is best, and when to stop waiting for a better one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mtl_cli.errors import RunError
from mtl_cli.metrics.scorer import MetricScore, TaskScore


@dataclass(frozen=True)
class Criterion:
    """The number that chooses between the evaluations of a run."""

    value: float
    """More is better; NaN if it is undefined."""
    by: str
    """What it is, in words."""
    hopeless: bool = False
    """Whether no evaluation of the run can have a value, since the labels are all alike."""


class Selector:
    """Follows one number over the evaluations.

    Args:
        select: `mean`, a task, or `task/metric`.
        patience: evaluations without a gain until `stop` is true; None for never.
        min_delta: a gain is more than this.
    """

    def __init__(self, select: str, patience: int | None, min_delta: float) -> None:
        self._task, _, self._metric = select.partition("/")
        self._patience, self._min_delta = patience, min_delta
        self.best: float | None = None
        self.best_step = -1
        self._waited = 0
        self.by = select
        """What has chosen the best evaluation, in words."""
        self.pruned = False
        """Whether the run is given up in favour of others; set by those who compare runs."""

    def value(self, scores: Sequence[TaskScore]) -> float:
        """The number, with its sign turned where less is better."""
        return self.criterion(scores).value

    def criterion(self, scores: Sequence[TaskScore]) -> Criterion:
        """The number and what it is.

        A metric that the labels leave undefined is left out, in each evaluation alike, and named; one that the predictions of this
        evaluation leave undefined makes the number NaN, since the evaluations could not be compared otherwise.
        """
        if self._task == "mean":
            return _mean_criterion(scores)
        for score in scores:
            if score.task == self._task:
                return self._task_criterion(score)
        raise RunError(
            f"eval.select: task '{self._task}' has no labelled validation rows. Select another task, or mean"
        )

    def _task_criterion(self, score: TaskScore) -> Criterion:
        name = f"{self._task}/{self._metric}" if self._metric else self._task
        chosen = [m for m in score.metrics if self._metric in ("", m.metric)]
        kept = [m for m in chosen if m.undefined != "labels"]
        if kept and len(kept) < len(chosen):
            name = f"what is defined of {name} (undefined: {'; '.join(score.reasons())})"
        higher = score.better_when_higher(self._metric) if self._metric else score.higher_is_better
        return _over(kept, 1 if higher else -1, name, score.reasons())

    def update(self, scores: Sequence[TaskScore], step: int) -> bool:
        """Take in an evaluation; true if it is the best so far. A NaN (an undefined correlation) is never a gain.

        Where no evaluation can have a value, the newest one is the best, and patience does not run out.
        """
        criterion = self.criterion(scores)
        value = criterion.value
        if criterion.hopeless:
            self.best, self.best_step, self.by = value, step, f"the last evaluation, as {criterion.by}"
            return True
        if self.best is None or value > self.best + self._min_delta or (self.best != self.best and value == value):
            undefined = f"the first evaluation, as {criterion.by} is undefined in all so far"
            self.best, self.best_step, self._waited = value, step, 0
            self.by = criterion.by if value == value else undefined
            return True
        self._waited += 1
        return False

    @property
    def stop(self) -> bool:
        """Whether patience is out."""
        return self._patience is not None and self._waited >= self._patience

    def state_dict(self) -> dict[str, Any]:
        """For a resumed run."""
        return {"best": self.best, "best_step": self.best_step, "waited": self._waited, "by": self.by}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.best, self.best_step, self._waited = state["best"], state["best_step"], state["waited"]
        self.by = state.get("by", self.by)
        if self.best is None and self.best_step >= 0:
            self.best = float("nan")  # JSON holds NaN as null


def _mean_criterion(scores: Sequence[TaskScore]) -> Criterion:
    """The mean over tasks that are better when higher; over none, the sum of the errors."""
    rising = [s for s in scores if s.higher_is_better]
    reasons = [f"{s.task}, {reason}" for s in scores for reason in s.reasons()]
    if not rising:
        tasks = ", ".join(s.task for s in scores)
        metrics = [m for s in scores for m in s.metrics if m.undefined != "labels"]
        found = _over(metrics, -1, f"the errors of {tasks}, as no task has a score that is better when higher", reasons)
        return replace(found, value=-sum(s.value for s in scores)) if metrics else found
    kept = {s.task: [m for m in s.metrics if m.undefined != "labels"] for s in rising}
    values = [float(np.mean([m.value for m in metrics])) for metrics in kept.values() if metrics]
    if not values:
        return Criterion(math.nan, f"no task has a defined score ({'; '.join(reasons)})", hopeless=True)
    if all(len(kept[s.task]) == len(s.metrics) for s in rising):
        return Criterion(float(np.mean(values)), "mean")
    lacking = "; ".join(f"{s.task}, {reason}" for s in rising for reason in s.reasons())
    tasks = ", ".join(task for task, metrics in kept.items() if metrics)
    return Criterion(float(np.mean(values)), f"mean of what is defined, over {tasks} (undefined: {lacking})")


def _over(metrics: Sequence[MetricScore], sign: int, name: str, reasons: Sequence[str]) -> Criterion:
    if not metrics:
        return Criterion(math.nan, f"{name} is undefined ({'; '.join(reasons)})", hopeless=True)
    return Criterion(sign * float(np.mean([m.value for m in metrics])), name)
