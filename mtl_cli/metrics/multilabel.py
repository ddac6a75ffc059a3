"""Metrics of label sets. Legend: N rows, L labels, R resamples."""

from __future__ import annotations

import zlib

import numpy as np

from mtl_cli.metrics.base import divided
from mtl_cli.metrics.scorer import MetricScore

_CELLS = 20_000_000
_NAMES = ("micro_f1", "macro_f1", "exact_match")


def multilabel_scores(
    gold_NL: np.ndarray, predicted_NL: np.ndarray, set_name: str, rounds: int, seed: int
) -> list[MetricScore]:
    """Micro F1, macro F1 and exact match, with 95 % bootstrap intervals over rows.

    Micro F1: 2 tp / (2 tp + fp + fn) over all labels together. Macro F1: the mean of the labels' F1, over those that occur in gold
    or predictions. Exact match: share of rows whose label set is the gold one.

    Args:
        gold_NL: which labels each row has.
        predicted_NL: which it was given.
        set_name: see `scorer.score_set`.
        rounds: resamples; 0 for no interval.
        seed: of the resampling.
    """
    rows = len(gold_NL)
    exact_N1 = (gold_NL == predicted_NL).all(axis=1)[:, None]
    counts = [x.astype(np.float64) for x in (gold_NL & predicted_NL, gold_NL, predicted_NL, exact_N1)]
    values = _values(np.full((1, rows), 1.0), counts)[0]
    low: list[float | None] = [None] * len(_NAMES)
    high = low
    if rounds:
        rng = np.random.default_rng((seed, zlib.crc32(set_name.encode())))
        step = max(1, _CELLS // max(rows, gold_NL.shape[1]))
        pieces = [
            _values(rng.multinomial(rows, np.full(rows, 1 / rows), size=min(step, rounds - at)), counts)
            for at in range(0, rounds, step)
        ]
        low, high = (list(v) for v in np.nanpercentile(np.concatenate(pieces), [2.5, 97.5], axis=0))
    return [
        MetricScore(n, set_name, float(v), lo, hi, rows) for n, v, lo, hi in zip(_NAMES, values, low, high, strict=True)
    ]


def _values(times_RN: np.ndarray, counts: list[np.ndarray]) -> np.ndarray:
    """The three metrics with each row taken so many times, shape [R, 3]."""
    hit_RL, gold_RL, predicted_RL, exact_R1 = (times_RN @ count for count in counts)
    micro_R = divided(2 * hit_RL.sum(1), gold_RL.sum(1) + predicted_RL.sum(1), 0.0)
    occurs_RL = gold_RL + predicted_RL > 0
    macro_R = divided(divided(2 * hit_RL, gold_RL + predicted_RL, 0.0).sum(1), occurs_RL.sum(1), 0.0)
    return np.stack([micro_R, macro_R, exact_R1[:, 0] / times_RN.sum(1)], axis=1)
