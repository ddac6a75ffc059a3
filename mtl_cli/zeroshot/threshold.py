"""The probability from which answers are as often right as asked. Legend: N rows with gold labels."""

from __future__ import annotations

import math

import numpy as np


def least_rows(target: float, confidence: float) -> int:
    """Rows that must all be right before their precision can be shown to reach the target: the least k with target^k <= 1 - confidence."""
    return math.ceil(math.log(1 - confidence) / math.log(target) - 1e-9)


def precision_threshold(top_N: np.ndarray, right_N: np.ndarray, target: float, confidence: float) -> float | None:
    """The lowest t such that the rows with a top probability of at least t are right with the target precision.

    Shown by the one-sided lower bound of Clopper & Pearson (1934) at the given confidence, for each t by itself: the bound is not
    corrected for the number of thresholds that were looked at.

    Args:
        top_N: highest probability of each row.
        right_N: whether the label with it is the gold one.
        target: precision in (0, 1).
        confidence: in (0, 1).

    Returns:
        t; None if no threshold will do.
    """
    from scipy.stats import beta

    if not len(top_N):
        return None
    order = np.argsort(-top_N, kind="stable")
    top, right = top_N[order], np.cumsum(right_N[order])
    answered = np.arange(1, len(top) + 1)
    # Rows with the same probability are answered together or not at all.
    last = np.append(top[1:] != top[:-1], True)
    low = np.where(right > 0, beta.ppf(1 - confidence, np.maximum(right, 1), answered - right + 1), 0.0)
    good = np.flatnonzero(last & (low >= target))
    return float(top[good[-1]]) if len(good) else None
