"""What a metric provides. Legend: N rows, R resamples, F statistics, C classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from mtl_cli.metrics.bootstrap import Draws

Statistics = Any
"""Numbers of each row, shape [N, F]: a float64 array, or a `scipy.sparse.csr_array` where most of them are 0."""


class Metric(ABC):
    """A number for a set of predictions; a fraction, not per cent.

    Labels and predictions are arrays of whatever an example has, N along the first axis: one number, a set of labels, a text.
    Most metrics are a function of sums over rows and derive from `SumMetric`. One that is not, since it looks at all rows at
    once (ranks), gives the numbers it needs of each row as its statistics and computes its value from them and from how
    often each row was drawn.
    """

    forms: ClassVar[tuple[str, ...]]
    """What it scores, in the plural, such as `classes`; tasks say which form their predictions have."""
    higher_is_better = True
    is_fraction = True
    """Whether tables show it as per cent."""
    needs_varied_labels = False
    """Whether it is undefined where all labels are alike."""

    def check(self, form: str, classes: int) -> None:  # noqa: ARG002
        """Raise `ValueError` if the metric does not fit a task whose predictions have this form, with so many classes."""
        if form not in self.forms:
            raise ValueError(f"is for {' or '.join(self.forms)}; this task predicts {form}")

    @abstractmethod
    def statistics(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:
        """What the metric needs of each row, shape [N, F]."""

    @abstractmethod
    def resampled(self, times_RN: np.ndarray, statistics_NF: Statistics) -> np.ndarray:
        """The metric with row n taken times_RN[r, n] times, shape [R]; NaN where it is not defined."""

    @abstractmethod
    def evaluate(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> float:
        """The metric over all rows; NaN where it is not defined (a correlation of constants)."""


class SumMetric(Metric):
    """A metric that is a function of sums over rows."""

    @abstractmethod
    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """The metric of each of R samples, given the sums of their rows' statistics, shape [R]."""

    def resampled(self, times_RN: np.ndarray, statistics_NF: Statistics) -> np.ndarray:
        """Its value of the sums of each resample."""
        return self.value(times_RN @ statistics_NF)

    def evaluate(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> float:
        """Its value of the sums over all rows."""
        return float(self.value(self.statistics(gold_N, predicted_N, classes).sum(axis=0)[None])[0])


def resample(
    metrics: Sequence[Metric], gold_N: np.ndarray, predicted_SN: Iterable[np.ndarray], classes: int, draws: Draws
) -> np.ndarray:
    """Every metric of the predictions of S models, all over the same resamples.

    Args:
        metrics: M of them.
        gold_N: labels.
        predicted_SN: of each model.
        classes: C; 0 where there are none.
        draws: of these rows.

    Returns:
        Shape [M, S, R].
    """
    models = list(predicted_SN)
    tables = [
        [metric.statistics(gold_N, predicted_N, classes)[draws.first_U] for predicted_N in models] for metric in metrics
    ]
    blocks = [
        [
            [metric.resampled(times_RU, table) for table in own_tables]
            for metric, own_tables in zip(metrics, tables, strict=True)
        ]
        for times_RU in draws.blocks()
    ]
    return np.concatenate(blocks, axis=-1)


def examples(values: Sequence[Any]) -> np.ndarray:
    """Labels or predictions as an array with one element each, of numbers where they are numbers, else of objects."""
    if all(isinstance(value, int | float) for value in values):
        return np.array(values, np.float64)
    found = np.empty(len(values), object)
    for i, value in enumerate(values):  # an assignment of the whole would take equal lengths for a second axis
        found[i] = value
    return found


def stacked(*columns: np.ndarray) -> np.ndarray:
    """Columns of N numbers as statistics, shape [N, F], float64.

    Column by column in memory: numpy then sums each pairwise, so a mean of errors does not lose digits as rows are added.
    """
    return np.stack([np.asarray(column, np.float64) for column in columns]).T


def divided(top: np.ndarray, bottom: np.ndarray, otherwise: float) -> np.ndarray:
    """top / bottom, with a value where bottom is 0."""
    top, bottom = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, otherwise), where=bottom != 0)
