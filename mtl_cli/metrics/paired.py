"""Predictions of several models for the same rows, beside those of the first. Legend: S models, N rows, R resamples, C classes."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mtl_cli.metrics.base import Metric


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
    found: list[dict[str, Value]] = [{} for _ in predicted_SN]
    deltas: list[dict[str, Value]] = [{} for _ in predicted_SN]
    for name, metric in metrics.items():
        values_S = np.array([metric.value(gold_N, one_N, classes) for one_N in predicted_SN])
        drawn_SR = np.empty((len(predicted_SN), 0))
        if rounds:
            rng = np.random.default_rng((seed, zlib.crc32(b"paired")))
            drawn_SR = metric.resampled_together(gold_N, predicted_SN, classes, rounds, rng)
        for s, value in enumerate(values_S.tolist()):
            found[s][name] = _value(value, drawn_SR[s])
            deltas[s][name] = _value(value - float(values_S[0]), drawn_SR[s] - drawn_SR[0])
    right_SN = predicted_SN == gold_N
    return [
        PairedScores(own, own_deltas, mcnemar(right_SN[0], right_N))
        for own, own_deltas, right_N in zip(found, deltas, right_SN, strict=True)
    ]


def _value(value: float, drawn_R: np.ndarray) -> Value:
    if not drawn_R.size or np.isnan(drawn_R).all():
        return Value(value, None, None)
    low, high = np.nanpercentile(drawn_R, [2.5, 97.5])
    return Value(value, float(low), float(high))


def mcnemar(right_N: np.ndarray, other_N: np.ndarray) -> float:
    """Two-sided p of McNemar's exact test (McNemar 1947): of the rows that one model alone has right, each has half.

    Args:
        right_N: whether a model is right.
        other_N: the same of another.
    """
    from scipy.stats import binomtest

    one, two = int((right_N & ~other_N).sum()), int((other_N & ~right_N).sum())
    return 1.0 if one + two == 0 else float(binomtest(one, one + two).pvalue)
