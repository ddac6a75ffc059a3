"""Metrics of predicted classes. Legend: R confusion matrices of C classes, gold by row."""

from __future__ import annotations

import numpy as np

from mtl_cli.metrics.base import ConfusionMetric, divided


def _diagonal(confusion_RCC: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion_RCC, axis1=1, axis2=2)


class Accuracy(ConfusionMetric):
    """Share of rows that are right."""

    def of(self, confusion_RCC: np.ndarray) -> np.ndarray:
        """Diagonal over all."""
        return divided(_diagonal(confusion_RCC).sum(1), confusion_RCC.sum((1, 2)), np.nan)


class BinaryF1(ConfusionMetric):
    """F1 of class 1, as GLUE scores MRPC and QQP: 2 tp / (2 tp + fp + fn), 0 if there is nothing to find and nothing found."""

    def check(self, classes: int) -> None:
        """Needs two classes."""
        super().check(classes)
        if classes != 2:
            raise ValueError(f"is for two classes; this task has {classes}. Use macro_f1.")

    def of(self, confusion_RCC: np.ndarray) -> np.ndarray:
        """F1 of class 1."""
        # A head of more classes than the task may predict one that the task has not: a miss like any other.
        return divided(2 * confusion_RCC[:, 1, 1], confusion_RCC[:, 1].sum(1) + confusion_RCC[:, :, 1].sum(1), 0.0)


class MacroF1(ConfusionMetric):
    """Mean F1 of the classes that occur in gold or predictions."""

    def of(self, confusion_RCC: np.ndarray) -> np.ndarray:
        """Mean over classes."""
        tp_RC = _diagonal(confusion_RCC)
        found_RC = confusion_RCC.sum(1) + confusion_RCC.sum(2)
        return np.nanmean(divided(2 * tp_RC, found_RC, np.nan), axis=1)


class Matthews(ConfusionMetric):
    """Matthews correlation for C classes (Gorodkin 2004, equation 8); 0 if gold or predictions are all alike."""

    def of(self, confusion_RCC: np.ndarray) -> np.ndarray:
        """R_K."""
        confusion_RCC = confusion_RCC.astype(np.float64)
        right_R = _diagonal(confusion_RCC).sum(1)
        total_R = confusion_RCC.sum((1, 2))
        gold_RC, predicted_RC = confusion_RCC.sum(2), confusion_RCC.sum(1)
        covariance = right_R * total_R - (gold_RC * predicted_RC).sum(1)
        variances = (total_R**2 - (predicted_RC**2).sum(1)) * (total_R**2 - (gold_RC**2).sum(1))
        return divided(covariance, np.sqrt(variances), 0.0)
