"""Predictions of several models for the same rows, compared with those of the first.

Legend: M metrics, S models, N rows, R resamples, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtl_cli.metrics.base import Metric, resample
from mtl_cli.metrics.bootstrap import draw, interval


@dataclass(frozen=True)
class Value:
    """A metric of one model."""

    value: float
    low: float | None
    """2.5 % point of the bootstrap; None if it was not asked for."""
    high: float | None


@dataclass(frozen=True)
class PairedScores:
    """One model, and its difference to the first one."""

    metrics: Mapping[str, Value]
    deltas: Mapping[str, Value]
    """This less the first, over the same resampled rows; of the first model itself all 0."""
    p: float
    """Of McNemar's exact test: both are right equally often."""


def paired_scores(
    metrics: Mapping[str, Metric], gold_N: np.ndarray, predicted_SN: np.ndarray, classes: int, rounds: int, seed: int
) -> list[PairedScores]:
    """Score every model and compare it with the first by a paired bootstrap (Efron & Tibshirani 1993, chapter 13).

    Args:
        metrics: by name.
        gold_N: labels.
        predicted_SN: of each model.
        classes: C.
        rounds: R; 0 for no interval.
        seed: of the resampling.
    """
    names, models = list(metrics), len(predicted_SN)
    values_MS = np.array([[m.evaluate(gold_N, one_N, classes) for one_N in predicted_SN] for m in metrics.values()])
    samples_MSR = np.full((len(names), models, 1), np.nan)
    if rounds:
        draws = draw([gold_N, *predicted_SN], rounds, seed, "paired")
        samples_MSR = resample([*metrics.values()], gold_N, predicted_SN, classes, draws)
    scores_S = _named(names, values_MS, samples_MSR)
    deltas_S = _named(names, values_MS - values_MS[:, :1], samples_MSR - samples_MSR[:, :1])
    right_SN = predicted_SN == gold_N
    return [
        PairedScores(scores, deltas, mcnemar(right_SN[0], right_N))
        for scores, deltas, right_N in zip(scores_S, deltas_S, right_SN, strict=True)
    ]


def _named(names: Sequence[str], values_MS: np.ndarray, samples_MSR: np.ndarray) -> list[dict[str, Value]]:
    """Of each model its metrics by name."""
    intervals = [[interval(samples_R) for samples_R in samples_SR] for samples_SR in samples_MSR]
    return [
        {name: Value(float(values_MS[m, s]), intervals[m][s].low, intervals[m][s].high) for m, name in enumerate(names)}
        for s in range(values_MS.shape[1])
    ]


def mcnemar(right_N: np.ndarray, other_N: np.ndarray) -> float:
    """Two-sided p of McNemar's exact test (McNemar 1947): of the rows that one model alone has right, each has half.

    Args:
        right_N: whether a model is right.
        other_N: the same of another.
    """
    from scipy.stats import binomtest

    one, two = int((right_N & ~other_N).sum()), int((other_N & ~right_N).sum())
    return 1.0 if one + two == 0 else float(binomtest(one, one + two).pvalue)
