"""Metrics of label sets. Legend: N rows, L labels, R samples of rows.

Gold and predictions are boolean arrays of shape [N, L]: which labels each row has.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mtl_cli.metrics.base import Metric, Statistics, SumMetric, divided, stacked


class LabelSetMetric(SumMetric):
    """A metric of any number of labels per row."""

    forms = ("sets of labels",)


class LabelSetMicroF1(LabelSetMetric):
    """2 tp / (2 tp + fp + fn) over all labels together; 0 if there is nothing to find and nothing found."""

    def statistics(self, gold_NL: np.ndarray, predicted_NL: np.ndarray, classes: int) -> Statistics:  # noqa: ARG002
        """Hits; labels in gold plus labels predicted."""
        return stacked((gold_NL & predicted_NL).sum(1), gold_NL.sum(1) + predicted_NL.sum(1))

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """F1 of all labels together."""
        hits_R, both_R = sums_RF.T
        return divided(2 * hits_R, both_R, 0.0)


class LabelSetMacroF1(LabelSetMetric):
    """Mean F1 of the labels that occur in gold or predictions; 0 if none does."""

    def statistics(self, gold_NL: np.ndarray, predicted_NL: np.ndarray, classes: int) -> Statistics:  # noqa: ARG002
        """Of each label: hit, and in how many of gold and prediction it is."""
        return np.hstack([gold_NL & predicted_NL, gold_NL.astype(np.float64) + predicted_NL])

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """Mean over labels."""
        hits_RL, both_RL = np.split(sums_RF, 2, axis=1)
        return divided(divided(2 * hits_RL, both_RL, 0.0).sum(1), (both_RL > 0).sum(1), 0.0)


class ExactMatch(LabelSetMetric):
    """Share of rows whose label set is the gold one."""

    def statistics(self, gold_NL: np.ndarray, predicted_NL: np.ndarray, classes: int) -> Statistics:  # noqa: ARG002
        """Exact, and 1."""
        return stacked((gold_NL == predicted_NL).all(axis=1), np.ones(len(gold_NL)))

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """Exact rows over all."""
        exact_R, rows_R = sums_RF.T
        return exact_R / rows_R


LABEL_SETS: Mapping[str, Metric] = {
    "micro_f1": LabelSetMicroF1(),
    "macro_f1": LabelSetMacroF1(),
    "exact_match": ExactMatch(),
}
