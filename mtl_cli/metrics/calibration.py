"""How far probabilities can be trusted. Legend: N rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15


def expected_calibration_error(probability_N: np.ndarray, right_N: np.ndarray, bins: int = BINS) -> float:
    """sum over bins of (rows of the bin / N) |mean probability - share that is right| (Naeini et al. 2015; Nguyen & O'Connor 2015).

    Rows are sorted by probability and cut into bins of equal mass: their sizes differ by one row at most, the larger first.
    Rows with equal probability count with their common share of right ones, so the order of the rows does not matter.

    Args:
        probability_N: of what was answered.
        right_N: whether it was right.
        bins: at most as many as rows.

    Returns:
        A fraction; NaN without rows.
    """
    if not len(probability_N):
        return float("nan")
    values, place_N = np.unique(probability_N, return_inverse=True)
    share = np.bincount(place_N, weights=right_N, minlength=len(values)) / np.bincount(place_N)
    order = np.sort(place_N)
    gaps = np.array_split(values[order] - share[order], min(bins, len(order)))
    return float(sum(abs(gap.sum()) for gap in gaps) / len(order))


@dataclass(frozen=True)
class Coverage:
    """What answering only above a threshold comes to."""

    threshold: float
    """Rows with at least this top probability are answered."""
    answered: int
    coverage: float
    """Answered rows over all."""
    accuracy: float
    """Of the answered rows."""


def coverage_curve(top_N: np.ndarray, right_N: np.ndarray) -> list[Coverage]:
    """One point for each probability that occurs, from the most certain rows to all of them."""
    order = np.argsort(-top_N, kind="stable")
    top, right = top_N[order], np.cumsum(right_N[order])
    last = np.flatnonzero(np.append(top[1:] != top[:-1], True))[: len(top)]
    return [Coverage(float(top[i]), int(i) + 1, (int(i) + 1) / len(top), float(right[i] / (i + 1))) for i in last]
