"""Which checkpoint is best, and when to stop waiting for a better one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtl_cli.errors import RunError
from mtl_cli.metrics.scorer import TaskScore, mean_score


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
        self.pruned = False
        """Whether the run is given up in favour of others; set by those who compare runs."""

    def value(self, scores: Sequence[TaskScore]) -> float:
        """The number, with its sign turned where less is better."""
        if self._task == "mean":
            found = mean_score(scores)
            return found if found == found else -sum(s.value for s in scores)
        for score in scores:
            if score.task == self._task:
                if self._metric:
                    return score.of(self._metric) * (1 if score.better_when_higher(self._metric) else -1)
                return score.value if score.higher_is_better else -score.value
        raise RunError(f"eval.select: task '{self._task}' has no labelled validation rows")

    def update(self, scores: Sequence[TaskScore], step: int) -> bool:
        """Take in an evaluation; true if it is the best so far. A NaN (an undefined correlation) is never a gain."""
        value = self.value(scores)
        if self.best is None or value > self.best + self._min_delta or (self.best != self.best and value == value):
            self.best, self.best_step, self._waited = value, step, 0
            return True
        self._waited += 1
        return False

    @property
    def stop(self) -> bool:
        """Whether patience is out."""
        return self._patience is not None and self._waited >= self._patience

    def state_dict(self) -> dict[str, Any]:
        """For a resumed run."""
        return {"best": self.best, "best_step": self.best_step, "waited": self._waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.best, self.best_step, self._waited = state["best"], state["best_step"], state["waited"]
        if self.best is None and self.best_step >= 0:
            self.best = float("nan")  # JSON holds NaN as null
