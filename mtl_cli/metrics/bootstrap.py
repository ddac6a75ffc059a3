"""The bootstrap of every score: one set of draws, shared by metrics and models (Efron & Tibshirani 1993, chapters 6 and 13).

Legend: N rows, U distinct rows, R resamples, F statistics.

A resample of N rows is written as how often it holds each row: `times_RN`. The sums over a resample of statistics that each
row has are then one matrix product, `times_RN @ statistics_NF`, whatever the metric. Scores of several models that are
computed from the same `Draws` differ over the same rows, so an interval of a paired difference is `interval(b_R - a_R)`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_CELLS = 2_000_000
"""Numbers of `times_RU` held at once."""


@dataclass(frozen=True)
class Interval:
    """Where 95 % of the resamples lie; None: not computed, or no resample is defined."""

    low: float | None
    """2.5 % point."""
    high: float | None
    """97.5 % point."""


@dataclass(frozen=True)
class Draws:
    """R resamples of N rows; the same ones each time they are iterated over."""

    rows: int
    """N."""
    first_U: np.ndarray
    """Index of one row of each distinct kind: statistics are read there."""
    alike_U: np.ndarray
    """How many rows are of that kind; they sum to N."""
    rounds: int
    """R."""
    seed: tuple[int, ...]

    def blocks(self) -> Iterator[np.ndarray]:
        """How often each resample holds each distinct row: float64 blocks of shape [some of R, U] whose rows sum to N.

        The numbers do not depend on the size of the blocks.
        """
        rng = np.random.default_rng(self.seed)
        size = max(1, _CELLS // len(self.first_U))
        for start in range(0, self.rounds, size):
            yield self._times(rng, min(size, self.rounds - start)).astype(np.float64)

    def _times(self, rng: np.random.Generator, rounds: int) -> np.ndarray:
        if len(self.first_U) < self.rows:
            return rng.multinomial(self.rows, self.alike_U / self.rows, size=rounds)
        drawn_RN = rng.integers(0, self.rows, (rounds, self.rows))
        drawn_RN += self.rows * np.arange(rounds)[:, None]
        return np.bincount(drawn_RN.ravel(), minlength=drawn_RN.size).reshape(drawn_RN.shape)


def draw(columns: Sequence[np.ndarray], rounds: int, seed: int, name: str) -> Draws:
    """Choose the resamples of a set of rows.

    Rows with equal values in all columns have equal statistics. Where that leaves half of the rows or fewer, a resample is one
    multinomial draw of how often each distinct row occurs, which costs U and not N; else N rows are drawn one by one.

    Args:
        columns: labels and predictions, each with N along its first axis; arrays of objects are never merged.
        rounds: R.
        seed: of the resampling.
        name: of what is scored, so that sets of rows are resampled independently.
    """
    rows = len(columns[0])
    first_U, alike_U = _distinct(columns)
    if 2 * len(first_U) > rows:
        first_U, alike_U = np.arange(rows), np.ones(rows, np.int64)
    return Draws(rows, first_U, alike_U, rounds, (seed, zlib.crc32(name.encode())))


def _distinct(columns: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """First index and number of rows of each kind, ordered by the first column, then the second and so on."""
    rows = len(columns[0])
    if any(column.dtype.hasobject for column in columns):
        return np.arange(rows), np.ones(rows, np.int64)
    code_N, codes = np.zeros(rows, np.int64), 1
    for column in (part for whole in columns for part in whole.reshape(rows, -1).T):
        values, place_N = np.unique(column, return_inverse=True)
        code_N, codes = code_N * len(values) + place_N, codes * len(values)
        if codes > 8 * rows:
            used, code_N = np.unique(code_N, return_inverse=True)
            codes = len(used)
    counts, first = np.bincount(code_N, minlength=codes), np.full(codes, rows)
    np.minimum.at(first, code_N, np.arange(rows))
    return first[counts > 0], counts[counts > 0]


def interval(samples_R: np.ndarray) -> Interval:
    """The 95 % percentile interval; resamples in which the metric is not defined (NaN) are left out."""
    if np.isnan(samples_R).all():
        return Interval(None, None)
    low, high = np.nanpercentile(samples_R, [2.5, 97.5])
    return Interval(float(low), float(high))


def standard_error(samples_R: np.ndarray) -> float:
    """Standard deviation over the resamples in which the metric is defined; NaN for fewer than two."""
    defined = samples_R[~np.isnan(samples_R)]
    return float(defined.std(ddof=1)) if len(defined) > 1 else math.nan
