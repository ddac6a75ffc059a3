"""Metrics of predicted classes. Legend: N rows, R samples of rows, C classes."""

from __future__ import annotations

import numpy as np

from mtl_cli.metrics.base import Statistics, SumMetric, divided, stacked


class ClassMetric(SumMetric):
    """A metric of one class per row, given as its index."""

    forms = ("classes",)


class Accuracy(ClassMetric):
    """Share of rows that are right."""

    def statistics(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:  # noqa: ARG002
        """Right, and 1."""
        return stacked(gold_N == predicted_N, np.ones(len(gold_N)))

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """Right rows over all."""
        right_R, rows_R = sums_RF.T
        return divided(right_R, rows_R, np.nan)


class BinaryF1(ClassMetric):
    """F1 of class 1, as GLUE scores MRPC and QQP: 2 tp / (2 tp + fp + fn), 0 if there is nothing to find and nothing found."""

    def check(self, form: str, classes: int) -> None:
        """Needs two classes."""
        super().check(form, classes)
        if classes != 2:
            raise ValueError(f"is for two classes; this task has {classes}")

    def statistics(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:  # noqa: ARG002
        """Of class 1: hit, gold, predicted."""
        # A head of more classes than the task may predict one that the task has not: a miss like any other.
        return stacked((gold_N == 1) & (predicted_N == 1), gold_N == 1, predicted_N == 1)

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """F1 of class 1."""
        hits_R, gold_R, predicted_R = sums_RF.T
        return divided(2 * hits_R, gold_R + predicted_R, 0.0)


class MacroF1(ClassMetric):
    """Mean F1 of the classes that occur in gold or predictions."""

    def statistics(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:
        """Of each class: hit, gold, predicted."""
        return _class_counts(gold_N, predicted_N, classes)

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """Mean over classes."""
        hits_RC, gold_RC, predicted_RC = np.split(sums_RF, 3, axis=1)
        return np.nanmean(divided(2 * hits_RC, gold_RC + predicted_RC, np.nan), axis=1)


class Matthews(ClassMetric):
    """Matthews correlation for C classes (Gorodkin 2004, equation 8); 0 if gold or predictions are all alike."""

    def statistics(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:
        """Of each class: hit, gold, predicted."""
        return _class_counts(gold_N, predicted_N, classes)

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """R_K."""
        hits_RC, gold_RC, predicted_RC = np.split(sums_RF, 3, axis=1)
        right_R, total_R = hits_RC.sum(1), gold_RC.sum(1)
        covariance_R = right_R * total_R - (gold_RC * predicted_RC).sum(1)
        variances_R = (total_R**2 - (predicted_RC**2).sum(1)) * (total_R**2 - (gold_RC**2).sum(1))
        return divided(covariance_R, np.sqrt(variances_R), 0.0)


def _class_counts(gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:
    """Of each class whether the row is a hit, is of it and is predicted as it, shape [N, 3 C].

    Sparse: three numbers a row, whatever C is.
    """
    from scipy.sparse import csr_array

    gold, predicted = gold_N.astype(np.int32), predicted_N.astype(np.int32)
    columns_N3 = np.stack([gold, classes + gold, 2 * classes + predicted], axis=1)
    values_N3 = np.ones(columns_N3.shape)
    values_N3[:, 0] = gold == predicted
    ends = np.arange(0, columns_N3.size + 1, 3, dtype=np.int32)
    return csr_array((values_N3.ravel(), columns_N3.ravel(), ends), shape=(len(gold), 3 * classes))
