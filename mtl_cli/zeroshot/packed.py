"""A text and many hypotheses in one row. Legend: M texts, H hypotheses, C classes, B rows, L tokens, S hypotheses of a row.

For a model that was trained on packed pairs (see `model.backbone.packed`): the text goes through the model once, not once a hypothesis,
and what a hypothesis scores does not depend on the others of its row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mtl_cli.data.batch import Batch
from mtl_cli.data.lengths import token_batches
from mtl_cli.zeroshot.pairs import PairScorer

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
            logits_BSC = self._logits(self._batch(some, firsts, closed))
            for row, logits_SC in zip(some, logits_BSC, strict=True):
                out_MHC[row.text, row.hypotheses] = logits_SC[: len(row.hypotheses)]
        return out_MHC

    def _batch(self, rows: Sequence[_Row], firsts: Sequence[np.ndarray], closed: Sequence[np.ndarray]) -> Batch:
        ids, types, mask = self._empty(np.array([row.length for row in rows], np.int64))
        segments, positions = np.zeros_like(ids), np.zeros_like(ids)
        layout = self._layout
        for i, row in enumerate(rows):
            texts = [
                np.asarray(layout.before, np.int64),
                self._cut(firsts[row.text], row.kept),
                np.asarray(layout.between, np.int64),
            ]
            own = [closed[h] for h in row.hypotheses]
            ids[i, : row.length] = np.concatenate([*texts, *own])
            sizes = np.array([len(piece) for piece in own])
            begin = row.length - int(sizes.sum())
            segments[i, begin : row.length] = np.repeat(np.arange(1, len(own) + 1), sizes)
            back = np.concatenate([[0], np.cumsum(sizes)[:-1]])
            positions[i, : row.length] = np.arange(row.length)
            positions[i, begin : row.length] -= np.repeat(back, sizes)
            if types is not None:
                types[i, :begin] = np.repeat(layout.types[:3], [len(piece) for piece in texts])
                inside = np.stack([sizes - len(layout.after), np.full(len(own), len(layout.after))], axis=1)
                types[i, begin : row.length] = np.repeat(np.tile(layout.types[3:], len(own)), inside.reshape(-1))
        mask_BL, types_BL = (None if a is None else torch.from_numpy(a) for a in (mask, types))
        return Batch(
            torch.from_numpy(ids), mask_BL, types_BL, (), torch.from_numpy(segments), torch.from_numpy(positions)
        )


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
