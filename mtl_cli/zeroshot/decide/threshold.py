"""The probability from which answers are as often right as asked. Legend: N rows with gold labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reachable:
    """What answering the rows with a top probability of at least some threshold shows."""

    precision: float
    """Its lower bound at the confidence that was asked for."""
    right: int
    answered: int
    """Rows that reach the threshold."""


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
    if not len(top_N):
        return None
    top, _, low = _bounds(top_N, right_N, confidence)
    good = np.flatnonzero(low >= target)
    return float(top[good[-1]]) if len(good) else None


def best_precision(top_N: np.ndarray, right_N: np.ndarray, confidence: float) -> Reachable:
    """The highest precision that any threshold shows, at the threshold that answers most rows of those that show it.

    Args:
        top_N: highest probability of each row, of one row or more.
        right_N: whether the label with it is the gold one.
        confidence: in (0, 1).
    """
    _, right, low = _bounds(top_N, right_N, confidence)
    best = int(np.flatnonzero(low == low.max())[-1])
    return Reachable(float(max(low[best], 0.0)), int(right[best]), best + 1)


def _bounds(top_N: np.ndarray, right_N: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For the 1, 2, ... N most probable rows: the least probability, how many are right, and the lower bound of their precision.

    The bound is -1 where rows of one probability would be divided: they are answered together or not at all.
    """
    from scipy.stats import beta

    order = np.argsort(-top_N, kind="stable")
    top, right = top_N[order], np.cumsum(right_N[order])
    answered = np.arange(1, len(top) + 1)
    last = np.append(top[1:] != top[:-1], True)
    low = np.where(right > 0, beta.ppf(1 - confidence, np.maximum(right, 1), answered - right + 1), 0.0)
    return top, right, np.where(last, low, -1.0)
