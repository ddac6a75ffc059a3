"""Metrics of predicted numbers. Legend: R series of N rows."""

from __future__ import annotations

import numpy as np

from mtl_cli.metrics.base import PairedMetric, divided


class Pearson(PairedMetric):
    """Linear correlation; NaN if either series is constant."""

    needs_varied_labels = True

    def of(self, gold_RN: np.ndarray, predicted_RN: np.ndarray) -> np.ndarray:
        """r."""
        gold = gold_RN - gold_RN.mean(1, keepdims=True)
        predicted = predicted_RN - predicted_RN.mean(1, keepdims=True)
        norms = np.sqrt((gold**2).sum(1)) * np.sqrt((predicted**2).sum(1))
        # By its range, not by its norm: rounding gives constants a small norm, and so do small units give a true series.
        varies = (np.ptp(gold_RN, axis=1) > 0) & (np.ptp(predicted_RN, axis=1) > 0)
        return np.clip(divided((gold * predicted).sum(1), np.where(varies, norms, 0.0), np.nan), -1.0, 1.0)


class Spearman(PairedMetric):
    """Pearson correlation of ranks, ties sharing their mean rank."""

    needs_varied_labels = True

    def of(self, gold_RN: np.ndarray, predicted_RN: np.ndarray) -> np.ndarray:
        """rho."""
        from scipy.stats import rankdata

        return Pearson().of(rankdata(gold_RN, axis=1), rankdata(predicted_RN, axis=1))


class RootMeanSquaredError(PairedMetric):
    """Root of the mean squared error, in the targets' units."""

    higher_is_better = False

    def of(self, gold_RN: np.ndarray, predicted_RN: np.ndarray) -> np.ndarray:
        """RMSE."""
        return np.sqrt(((gold_RN - predicted_RN) ** 2).mean(1))


class MeanAbsoluteError(PairedMetric):
    """Mean absolute error, in the targets' units."""

    higher_is_better = False

    def of(self, gold_RN: np.ndarray, predicted_RN: np.ndarray) -> np.ndarray:
        """MAE."""
        return np.abs(gold_RN - predicted_RN).mean(1)
