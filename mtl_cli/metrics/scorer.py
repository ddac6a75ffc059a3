"""Scores of tasks: their metrics, their mean, and 95 % bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mtl_cli.metrics.base import Metric, resample
from mtl_cli.metrics.bootstrap import Interval, draw, interval

Undefined = Literal["", "labels", "predictions"]
"""Why a metric has no value: all labels are alike, whatever the model; all predictions are; empty if it has one."""
_WHY = {"labels": "all labels are alike", "predictions": "all predictions are alike"}


@dataclass(frozen=True)
class MetricScore:
    """One metric of one task on one set of rows."""

    metric: str
    set_name: str
    value: float
    low: float | None
    """2.5 % point of the bootstrap; None if it was not asked for."""
    high: float | None
    rows: int
    """Labelled rows scored."""
    higher_is_better: bool = True
    undefined: Undefined = ""


@dataclass(frozen=True)
class TaskScore:
    """All metrics of one task."""

    task: str
    metrics: tuple[MetricScore, ...]
    higher_is_better: bool
    note: str
    """What must be known about the data, such as "bundled sample, not GLUE"."""

    def reasons(self) -> list[str]:
        """What has no value, and why, such as `pearson on validation: all labels are alike`."""
        return [f"{m.metric} on {m.set_name}: {_WHY[m.undefined]}" for m in self.metrics if m.undefined]

    @property
    def value(self) -> float:
        """The task's score: the mean over its sets and metrics, as GLUE does it."""
        return float(np.mean([m.value for m in self.metrics]))

    def of(self, metric: str) -> float:
        """One metric, averaged over the sets."""
        return float(np.mean([m.value for m in self.metrics if m.metric == metric]))

    def better_when_higher(self, metric: str) -> bool:
        """Direction of one metric; a task may have some of either."""
        return all(m.higher_is_better for m in self.metrics if m.metric == metric)


def mean_score(scores: Sequence[TaskScore]) -> float:
    """Mean over the tasks whose scores are better when higher; NaN if there is none."""
    values = [s.value for s in scores if s.higher_is_better]
    return float(np.mean(values)) if values else math.nan


def score_set(
    metrics: Mapping[str, Metric],
    set_name: str,
    gold_N: np.ndarray,
    predicted_N: np.ndarray,
    classes: int,
    rounds: int,
    seed: int,
) -> list[MetricScore]:
    """Score one set of labelled rows.

    Args:
        metrics: by name.
        set_name: such as `validation`.
        gold_N: labels, in whatever form the metrics take.
        predicted_N: predictions, in the same form.
        classes: C; 0 for numbers.
        rounds: bootstrap resamples; 0 for no interval.
        seed: of the resampling; the same seed draws the same rows whatever the metric.

    Returns:
        One score a metric; none if there are no rows.
    """
    if not len(gold_N):
        return []
    intervals = [Interval(None, None)] * len(metrics)
    if rounds:
        draws = draw([gold_N, predicted_N], rounds, seed, set_name)
        intervals = [
            interval(one_R) for (one_R,) in resample([*metrics.values()], gold_N, [predicted_N], classes, draws)
        ]
    scores = []
    for (name, metric), around in zip(metrics.items(), intervals, strict=True):
        value, better = metric.evaluate(gold_N, predicted_N, classes), metric.higher_is_better
        undefined = _undefined(value, gold_N)
        scores.append(MetricScore(name, set_name, value, around.low, around.high, len(gold_N), better, undefined))
    return scores


def _undefined(value: float, gold_N: np.ndarray) -> Undefined:
    if not math.isnan(value):
        return ""
    return "labels" if np.all(gold_N == gold_N[:1]) else "predictions"
