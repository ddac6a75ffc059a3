"""What a metric provides. Legend: N rows, R resamples, C classes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

_CELLS = 20_000_000
"""Numbers held at once while resampling."""


class Metric(ABC):
    """A number for a set of predictions; a fraction, not per cent."""

    higher_is_better = True

    @abstractmethod
    def check(self, classes: int) -> None:
        """Raise `ValueError` if the metric does not fit a task with so many classes (0: numbers)."""

    @abstractmethod
    def value(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> float:
        """The metric over all rows; NaN where it is not defined (a correlation of constants)."""

    @abstractmethod
    def resampled(
        self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int, rounds: int, rng: np.random.Generator
    ) -> np.ndarray:
        """The metric over `rounds` samples of N rows drawn with replacement, shape [R]."""


class ConfusionMetric(Metric):
    """A metric that needs only how often class g was predicted as class p.

    A bootstrap sample of N rows is then one multinomial draw of the C x C counts: 1,000 resamples cost milliseconds.
    """

    def check(self, classes: int) -> None:
        """Needs classes."""
        if classes < 2:
            raise ValueError("is for classes; this task predicts numbers. Use pearson, spearman, rmse or mae.")

    @abstractmethod
    def of(self, confusion_RCC: np.ndarray) -> np.ndarray:
        """The metric of each of R confusion matrices (gold by row, prediction by column), shape [R]."""

    def value(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> float:
        """Over all rows."""
        return float(self.of(confusion(gold_N, predicted_N, classes)[None])[0])

    def resampled(
        self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int, rounds: int, rng: np.random.Generator
    ) -> np.ndarray:
        """One multinomial draw a resample."""
        counts = confusion(gold_N, predicted_N, classes)
        shares = (counts / counts.sum()).ravel()
        step = max(1, _CELLS // shares.size)
        pieces = [
            self.of(rng.multinomial(len(gold_N), shares, size=min(step, rounds - at)).reshape(-1, classes, classes))
            for at in range(0, rounds, step)
        ]
        return np.concatenate(pieces)


class PairedMetric(Metric):
    """A metric of two series of numbers."""

    def check(self, classes: int) -> None:
        """Needs numbers."""
        if classes:
            raise ValueError("is for numbers; this task predicts classes. Use accuracy, f1, macro_f1 or matthews.")

    @abstractmethod
    def of(self, gold_RN: np.ndarray, predicted_RN: np.ndarray) -> np.ndarray:
        """The metric of each of R pairs of series, shape [R]."""

    def value(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> float:  # noqa: ARG002
        """Over all rows."""
        return float(self.of(gold_N[None], predicted_N[None])[0])

    def resampled(
        self,
        gold_N: np.ndarray,
        predicted_N: np.ndarray,
        classes: int,  # noqa: ARG002
        rounds: int,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Rows drawn with replacement."""
        n = len(gold_N)
        step = max(1, _CELLS // n)
        pieces = []
        for at in range(0, rounds, step):
            rows = rng.integers(0, n, (min(step, rounds - at), n))
            pieces.append(self.of(gold_N[rows], predicted_N[rows]))
        return np.concatenate(pieces)


def confusion(gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> np.ndarray:
    """Counts of gold class by predicted class, shape [C, C]."""
    cells = gold_N.astype(np.int64) * classes + predicted_N.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def divided(top: np.ndarray, bottom: np.ndarray, otherwise: float) -> np.ndarray:
    """top / bottom, with a value where bottom is 0."""
    top, bottom = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, otherwise), where=bottom != 0)
