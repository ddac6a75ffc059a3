"""Metrics of predicted numbers. Legend: R series of N rows."""

from __future__ import annotations

import numpy as np

from mtl_cli.metrics.base import PairedMetric, divided


class Pearson(PairedMetric):
    """Linear correlation; NaN if either series is constant."""

    def of(self, gold_RN: np.ndarray, predicted_RN: np.ndarray) -> np.ndarray:
        """r."""
        gold = gold_RN - gold_RN.mean(1, keepdims=True)
        predicted = predicted_RN - predicted_RN.mean(1, keepdims=True)
        norms = np.sqrt((gold**2).sum(1) * (predicted**2).sum(1))
        return divided((gold * predicted).sum(1), np.where(norms > 1e-12, norms, 0.0), np.nan)


class Spearman(PairedMetric):
    """Pearson correlation of ranks, ties sharing their mean rank."""

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
