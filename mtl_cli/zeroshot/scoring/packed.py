"""A text and many hypotheses in one row. Legend: M texts, H hypotheses, C classes, B rows, L tokens, S hypotheses of a row.

For a model that was trained on packed pairs (see `model.backbone.packed`): the text goes through the model once, not once a hypothesis,
and what a hypothesis scores does not depend on the others of its row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mtl_cli.data.lengths import token_batches
from mtl_cli.data.text import TextInputs
from mtl_cli.zeroshot.scoring.pairs import PairScorer

_LINEAR = 2304
"""Keys that cost as much to attend to as a token costs in the linear layers: 6 D multiply-adds for each of a key, D = 384. The best
rows are much the same for wider models."""


@dataclass(frozen=True)
class _Row:
    text: int
    kept: int
    """Tokens of the text."""
    hypotheses: np.ndarray
    """Places of the hypotheses in their list."""
    length: int


class PackedPairs(PairScorer):
    """Rows of a text and as many hypotheses as are worth a row.

    A text that is too long for some hypotheses is cut for each as it would be for that one alone, so hypotheses that leave it
    different room stand in different rows.
    """

    def _row_lengths(self, kept_MH: np.ndarray, second_H: np.ndarray) -> list[np.ndarray]:
        return [np.array([row.length for row in self._rows(kept_MH, second_H)], np.int64)]

    def _rows(self, kept_MH: np.ndarray, second_H: np.ndarray) -> Iterator[_Row]:
        around, after = len(self._layout.before) + len(self._layout.between), len(self._layout.after)
        for text, kept_H in enumerate(kept_MH):
            for kept in np.unique(kept_H):
                (members,) = np.nonzero(kept_H == kept)
                for some in dealt(second_H[members] + after, around + int(kept)):
                    own = members[some]
                    length = around + int(kept) + int(second_H[own].sum()) + after * len(own)
                    yield _Row(text, int(kept), own, length)

    def _scored(self, firsts: Sequence[np.ndarray], seconds: Sequence[np.ndarray], kept_MH: np.ndarray) -> np.ndarray:
        rows = list(self._rows(kept_MH, np.array([len(ids) for ids in seconds], np.int64)))
        after = np.array(self._layout.after, np.int64)
        closed = [np.concatenate([ids, after]) for ids in seconds]
        out_MHC = np.empty((*kept_MH.shape, len(self._model.classes)), np.float64)
        for places in token_batches(np.array([row.length for row in rows], np.int64), self._batch_tokens):
            some = [rows[i] for i in places]
            logits_BSC = self._logits(self._inputs(some, firsts, closed))
            for row, logits_SC in zip(some, logits_BSC, strict=True):
                out_MHC[row.text, row.hypotheses] = logits_SC[: len(row.hypotheses)]
        return out_MHC

    def _inputs(self, rows: Sequence[_Row], firsts: Sequence[np.ndarray], closed: Sequence[np.ndarray]) -> TextInputs:
        made = [self._row(row, firsts[row.text], [closed[h] for h in row.hypotheses]) for row in rows]
        ids, types, segments, positions = zip(*made, strict=True)
        return TextInputs.of(ids, types if self._takes_types else None, segments, positions)

    def _row(self, row: _Row, first: np.ndarray, own: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Ids, types, segments and positions of a row's tokens."""
        layout = self._layout
        before, between = (np.array(piece, np.int64) for piece in (layout.before, layout.between))
        texts = (before, self._cut(first, row.kept), between)
        sizes = np.array([len(piece) for piece in own])
        begin = row.length - int(sizes.sum())
        back = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        positions = np.arange(row.length)
        positions[begin:] -= np.repeat(back, sizes)
        segments = np.zeros(row.length, np.int64)
        segments[begin:] = np.repeat(np.arange(1, len(own) + 1), sizes)
        inside = np.stack([sizes - len(layout.after), np.full(len(own), len(layout.after))], axis=1)
        types = np.repeat(
            [*layout.types[:3], *np.tile(layout.types[3:], len(own))], [*map(len, texts), *inside.reshape(-1)]
        )
        return np.concatenate([*texts, *own]), types, segments, positions


def dealt(sizes: np.ndarray, text: int) -> list[np.ndarray]:
    """Deal hypotheses into rows of like length, in their order.

    A row of n tokens costs about n (`_LINEAR` + n): long rows repeat the text less often, short ones attend to less that they do not
    see anyway. The number of rows is the best one.

    Args:
        sizes: tokens of each hypothesis.
        text: tokens that each row begins with.

    Returns:
        Places of the hypotheses of each row.
    """
    total, most = int(sizes.sum()), len(sizes)
    text = max(1, text)
    # The best length of a row has a closed form, sqrt(text (_LINEAR + text)) tokens of hypotheses; whole rows are either side of it.
    ideal = total / math.sqrt(text * (_LINEAR + text))
    choices = {min(most, max(1, n)) for n in (math.floor(ideal), math.ceil(ideal))}
    count = min(choices, key=lambda n: (n * (text + total / n) * (_LINEAR + text + total / n), n))
    middles = np.cumsum(sizes) - sizes / 2
    row_of = np.minimum(count - 1, (middles * count / max(1, total)).astype(np.int64))
    return [places for n in range(count) if len(places := np.flatnonzero(row_of == n))]
