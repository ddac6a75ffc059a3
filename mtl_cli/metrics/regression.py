"""Metrics of predicted numbers. Legend: N rows, R samples of rows, V distinct values."""

from __future__ import annotations

import numpy as np

from mtl_cli.metrics.base import Metric, Statistics, SumMetric, divided, stacked

_ROUNDING = 1e-12
"""A variance below this share of the mean square is rounding."""


class NumberMetric(Metric):
    """A metric of one number per row."""

    forms = ("numbers",)


class Pearson(NumberMetric, SumMetric):
    """Linear correlation; NaN if either series is constant."""

    needs_varied_labels = True

    def statistics(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:  # noqa: ARG002
        """1, both series less their medians, their squares and their product."""
        # A sum of squares less a squared sum loses digits when the numbers lie far from 0. Less their median they do not: the
        # mean of any sample that holds rows on both sides of it is close to 0 beside its spread. And a sample of one value
        # alone is likely only if most rows have it: it is the median, and its variance exactly 0.
        gold, predicted = gold_N - np.median(gold_N), predicted_N - np.median(predicted_N)
        return stacked(np.ones(len(gold)), gold, predicted, gold**2, predicted**2, gold * predicted)

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """r."""
        rows_R, gold_R, predicted_R, gold2_R, predicted2_R, product_R = sums_RF.T
        covariance_R = product_R - gold_R * predicted_R / rows_R
        norms_R = _norm(gold2_R, gold_R, rows_R) * _norm(predicted2_R, predicted_R, rows_R)
        return np.clip(divided(covariance_R, norms_R, np.nan), -1.0, 1.0)

    def evaluate(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> float:  # noqa: ARG002
        """r, in two passes: exact to the last digit, and cheap for one sample."""
        if not (np.ptp(gold_N) > 0 and np.ptp(predicted_N) > 0):
            return float("nan")
        gold, predicted = gold_N - gold_N.mean(), predicted_N - predicted_N.mean()
        norms = np.sqrt((gold**2).sum()) * np.sqrt((predicted**2).sum())
        return float(np.clip((gold * predicted).sum() / norms, -1.0, 1.0))


def _norm(squares_R: np.ndarray, sum_R: np.ndarray, rows_R: np.ndarray) -> np.ndarray:
    """Root of the sum of squared distances from the mean; 0 of a constant."""
    distances_R = squares_R - sum_R**2 / rows_R
    return np.sqrt(np.where(distances_R > _ROUNDING * squares_R, distances_R, 0.0))


class Spearman(NumberMetric):
    """Pearson correlation of ranks, ties sharing their mean rank.

    A rank depends on all rows drawn, so there is nothing to sum; but the order of the values is the same in every resample,
    and a value's rank in one is how many drawn rows lie below it.
    """

    needs_varied_labels = True

    def statistics(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:  # noqa: ARG002
        """Each row's place in the order of the distinct values of either series."""
        return stacked(*(np.unique(series_N, return_inverse=True)[1] for series_N in (gold_N, predicted_N)))

    def resampled(self, times_RN: np.ndarray, statistics_NF: Statistics) -> np.ndarray:
        """rho."""
        gold_RN, predicted_RN = (_centred_ranks(times_RN, place_N) for place_N in statistics_NF.T)
        gold_R, predicted_R = (np.sqrt((times_RN * ranks_RN**2).sum(1)) for ranks_RN in (gold_RN, predicted_RN))
        return np.clip(divided((times_RN * gold_RN * predicted_RN).sum(1), gold_R * predicted_R, np.nan), -1.0, 1.0)

    def evaluate(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> float:
        """rho."""
        return float(self.resampled(np.ones((1, len(gold_N))), self.statistics(gold_N, predicted_N, classes))[0])


def _centred_ranks(times_RN: np.ndarray, place_N: np.ndarray) -> np.ndarray:
    """Mean rank of each row among the drawn ones, less the mean of all ranks, shape [R, N]; halves of whole numbers, so exact."""
    order = np.argsort(place_N, kind="stable")
    starts_V = np.flatnonzero(np.diff(place_N[order], prepend=-1))
    tied_RV = np.add.reduceat(times_RN[:, order], starts_V, axis=1)
    up_to_RV = np.cumsum(tied_RV, axis=1)
    ranks_RV = up_to_RV - (tied_RV - 1) / 2 - (up_to_RV[:, -1:] + 1) / 2
    value_N = np.empty(len(place_N), np.int64)
    value_N[order] = np.repeat(np.arange(len(starts_V)), np.diff(starts_V, append=len(place_N)))
    return ranks_RV[:, value_N]


class RootMeanSquaredError(NumberMetric, SumMetric):
    """Root of the mean squared error, in the targets' units."""

    higher_is_better = False
    is_fraction = False

    def statistics(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:  # noqa: ARG002
        """Squared error, and 1."""
        return stacked((gold_N - predicted_N) ** 2, np.ones(len(gold_N)))

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """RMSE."""
        squares_R, rows_R = sums_RF.T
        return np.sqrt(squares_R / rows_R)


class MeanAbsoluteError(NumberMetric, SumMetric):
    """Mean absolute error, in the targets' units."""

    higher_is_better = False
    is_fraction = False

    def statistics(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:  # noqa: ARG002
        """Absolute error, and 1."""
        return stacked(np.abs(gold_N - predicted_N), np.ones(len(gold_N)))

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """MAE."""
        errors_R, rows_R = sums_RF.T
        return errors_R / rows_R
