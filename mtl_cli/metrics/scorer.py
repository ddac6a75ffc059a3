"""Scores of tasks: their metrics, their mean, and 95 % bootstrap intervals."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mtl_cli.metrics.base import Metric

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
    """Score one set of rows; rows without a label (NaN) are left out.

    Args:
        metrics: by name.
        set_name: such as `validation`.
        gold_N: labels.
        predicted_N: predictions, in the same units.
        classes: C; 0 for numbers.
        rounds: bootstrap resamples; 0 for no interval.
        seed: of the resampling; the same seed draws the same rows whatever the metric.

    Returns:
        One score a metric; none if no row has a label.
    """
    labelled = ~np.isnan(gold_N)
    gold, predicted = gold_N[labelled].astype(np.float64), predicted_N[labelled].astype(np.float64)
    if not len(gold):
        return []
    return [_score(name, metric, set_name, gold, predicted, classes, rounds, seed) for name, metric in metrics.items()]


def _score(
    name: str,
    metric: Metric,
    set_name: str,
    gold: np.ndarray,
    predicted: np.ndarray,
    classes: int,
    rounds: int,
    seed: int,
) -> MetricScore:
    low = high = None
    if rounds:
        rng = np.random.default_rng((seed, zlib.crc32(set_name.encode())))
        with np.errstate(invalid="ignore"):
            samples = metric.resampled(gold, predicted, classes, rounds, rng)
        if not np.isnan(samples).all():
            low, high = (float(v) for v in np.nanpercentile(samples, [2.5, 97.5]))
    value = metric.value(gold, predicted, classes)
    return MetricScore(name, set_name, value, low, high, len(gold), metric.higher_is_better, _undefined(value, gold))


def _undefined(value: float, gold_N: np.ndarray) -> Undefined:
    if value == value:
        return ""
    return "labels" if np.ptp(gold_N) == 0 else "predictions"
