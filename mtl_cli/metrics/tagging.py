"""Metrics of tags, one a word. Legend: N rows, R samples of rows, F statistics.

Labels and predictions are arrays of N tuples, each with the tag of every word of its row by name; None is no tag.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.metrics.base import Statistics, SumMetric, divided, stacked


class EntityF1(SumMetric):
    """2 tp / (2 tp + fp + fn) over entities, 0 if there is nothing to find and nothing found: the F1 of CoNLL's shared tasks.

    An entity is right if its first word, its last word and its type are (Tjong Kim Sang & De Meulder 2003). Entities are read from
    tags such as B-PER and I-PER as `seqeval` reads them, which takes an I- tag without a beginning as one.
    """

    forms = ("entities",)

    def statistics(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:  # noqa: ARG002
        """Hits; entities in gold plus entities predicted."""
        gold, predicted = ([_entities(tags) for tags in column] for column in (gold_N, predicted_N))
        hits = [len(a & b) for a, b in zip(gold, predicted, strict=True)]
        both = [len(a) + len(b) for a, b in zip(gold, predicted, strict=True)]
        return stacked(np.array(hits), np.array(both))

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """F1."""
        hits_R, both_R = sums_RF.T
        return divided(2 * hits_R, both_R, 0.0)


def _entities(tags: Sequence[str | None]) -> set[tuple[str, int, int]]:
    """(type, first word, last word) of each entity."""
    from seqeval.metrics.sequence_labeling import get_entities

    return set(get_entities([tag or "O" for tag in tags]))


class TagAccuracy(SumMetric):
    """Share of words that are right, of those that have a tag."""

    forms = ("tags", "entities")

    def statistics(self, gold_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> Statistics:  # noqa: ARG002
        """Right words, and words with a tag."""
        right = [
            sum(a == b for a, b in zip(gold, predicted, strict=True) if a is not None)
            for gold, predicted in zip(gold_N, predicted_N, strict=True)
        ]
        return stacked(np.array(right), np.array([sum(tag is not None for tag in tags) for tags in gold_N]))

    def value(self, sums_RF: np.ndarray) -> np.ndarray:
        """Right words over all."""
        right_R, words_R = sums_RF.T
        return divided(right_R, words_R, np.nan)
