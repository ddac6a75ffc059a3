"""What a metric provides. Legend: N rows, R resamples, C classes, S series of predictions of the same rows, U distinct rows."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

_CELLS = 20_000_000
"""Numbers held at once while resampling."""


class Metric(ABC):
    """A number for a set of predictions; a fraction, not per cent."""

    higher_is_better = True
    needs_varied_labels = False
    """Whether it is undefined where all labels are alike."""

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

    def resampled_together(
        self, gold_N: np.ndarray, predicted_SN: np.ndarray, classes: int, rounds: int, rng: np.random.Generator
    ) -> np.ndarray:
        """The metric of each series over the same `rounds` samples of rows, shape [S, R]: what a paired bootstrap needs.

        The rows depend on N, `rounds` and `rng` alone for metrics of one kind, so two metrics of a task meet the same samples.
        """
        found_RS = [
            [self.value(gold_N[rows], one_N[rows], classes) for one_N in predicted_SN]
            for rows in (rng.integers(0, len(gold_N), len(gold_N)) for _ in range(rounds))
        ]
        return np.array(found_RS).T


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

    def resampled_together(
        self, gold_N: np.ndarray, predicted_SN: np.ndarray, classes: int, rounds: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Rows with the same label and the same S predictions are alike: one multinomial draw of their counts a resample."""
        alike, times_U = np.unique(np.stack([gold_N, *predicted_SN]).astype(np.int64), axis=1, return_counts=True)
        cells_SU = alike[0] * classes + alike[1:]
        step = max(1, _CELLS // max(classes**2, len(times_U)))
        pieces = []
        for at in range(0, rounds, step):
            counts_RU = rng.multinomial(len(gold_N), times_U / len(gold_N), size=min(step, rounds - at))
            pieces.append(np.stack([self.of(_summed(counts_RU, cells_U, classes)) for cells_U in cells_SU]))
        return np.concatenate(pieces, axis=1)


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

    def resampled_together(
        self,
        gold_N: np.ndarray,
        predicted_SN: np.ndarray,
        classes: int,  # noqa: ARG002
        rounds: int,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Rows drawn with replacement, the same for every series."""
        n = len(gold_N)
        step = max(1, _CELLS // n)
        pieces = []
        for at in range(0, rounds, step):
            rows_RN = rng.integers(0, n, (min(step, rounds - at), n))
            pieces.append(np.stack([self.of(gold_N[rows_RN], one_N[rows_RN]) for one_N in predicted_SN]))
        return np.concatenate(pieces, axis=1)


def _summed(counts_RU: np.ndarray, cells_U: np.ndarray, classes: int) -> np.ndarray:
    """Counts of distinct rows -> confusion matrices, shape [R, C, C]."""
    order = np.argsort(cells_U, kind="stable")
    cells, starts = np.unique(cells_U[order], return_index=True)
    confusion_RK = np.zeros((len(counts_RU), classes * classes), counts_RU.dtype)
    confusion_RK[:, cells] = np.add.reduceat(counts_RU[:, order], starts, axis=1)
    return confusion_RK.reshape(-1, classes, classes)


def confusion(gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> np.ndarray:
    """Counts of gold class by predicted class, shape [C, C]."""
    cells = gold_N.astype(np.int64) * classes + predicted_N.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def divided(top: np.ndarray, bottom: np.ndarray, otherwise: float) -> np.ndarray:
    """top / bottom, with a value where bottom is 0."""
    top, bottom = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, otherwise), where=bottom != 0)
