"""More rows for tasks that are far from where they could be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mtl_cli.data.sampler.base import NeedSampler, Observed, PerStep, unknown_tasks


class MetricDriven(NeedSampler):
    """p_i ~ floor + max(0, 1 - score_i / target_i) by the scores of the last evaluation; uniform before the first.

    The target is the score that is as good as it gets, such as that of a single-task run. Evaluations drive the shares, so set
    `eval.every` to how often they should move. A score that has no value (NaN) counts as 0.

    Args:
        names_K: names of the tasks.
        sizes_K: training rows of each.
        targets: fraction, more than 0, by task; 1 for a task that is not named; None: for all.
        floor: what a task keeps that has reached its target.
        per_step: see `ChangingChances`.
    """

    needs_rising_scores = True

    def __init__(
        self,
        names_K: Sequence[str],
        sizes_K: Sequence[int],
        *,
        targets: dict[str, float] | None,
        floor: float,
        per_step: PerStep,
    ) -> None:
        super().__init__(names_K, sizes_K, floor=floor, per_step=per_step)
        self._targets: Mapping[str, float] = targets or {}
        if unknown := unknown_tasks(self._targets, names_K):
            raise ValueError(f"targets: no task {', '.join(unknown)}")
        for name, target in self._targets.items():
            if target <= 0:
                raise ValueError(f"targets.{name} must be more than 0; found {target}")

    def need(self, observed: Observed) -> float:
        """max(0, 1 - score_i / target_i)."""
        score = 0.0 if math.isnan(observed.score) else observed.score
        return max(0.0, 1 - score / self._targets.get(observed.task, 1.0))
