"""Encoded rows -> batches, and how to cut a set of rows into forward passes."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mtl_cli.data.batch import Batch, Part
from mtl_cli.data.encoded import EncodedSet
from mtl_cli.data.text import TextInputs
from mtl_cli.tasks.columns import Column, Columns, chosen
from mtl_cli.tasks.inputs.packed import SECONDS


@dataclass(frozen=True)
class RowRef:
    """One row of one task."""

    task: str
    row: int
    length: int


@dataclass(frozen=True)
class Prepared:
    """Rows of one task as the encoder sees them, where they are not what is stored."""

    ids: Sequence[np.ndarray]
    """Tokens of each row, as many as are stored."""
    targets: Columns = field(default_factory=dict)
    """Beside those of the kind."""
    arrays: Columns = field(default_factory=dict)
    """Beside those of the input."""


class Preparing(Protocol):
    """Changes the rows of a task on their way into a batch."""

    def prepared(self, ids: Sequence[np.ndarray], numbers: np.ndarray, key: tuple[int, ...]) -> Prepared:
        """See `objectives.base.Objective.prepared`."""


def collate(
    refs: Sequence[RowRef], sets: Mapping[str, EncodedSet], preparing: Mapping[str, Preparing] | None = None,
    key: tuple[int, ...] = (),
) -> Batch:  # fmt: skip
    """Put some rows into one batch.

    Args:
        refs: rows in any order; they are grouped by task, in the order in which tasks first appear.
        sets: the encoded rows of each task.
        preparing: of the tasks whose rows are changed.
        key: of all draws of the step.
    """
    order: dict[str, list[int]] = {}
    for ref in refs:
        order.setdefault(ref.task, []).append(ref.row)
    spans = [(sets[task], slice(*sets[task].offsets[row : row + 2])) for task, rows in order.items() for row in rows]
    types = segments = None
    if any(sets[task].types_T is not None for task in order):
        types = [_zeros(span) if one.types_T is None else one.types_T[span] for one, span in spans]
    if any(SECONDS in sets[task].arrays for task in order):
        segments = [_segments(sets[task], row) for task, rows in order.items() for row in rows]
    ids = [one.ids_T[span] for one, span in spans]
    parts, first = [], 0
    for task, rows in order.items():
        place, numbers = slice(first, first + len(rows)), np.array(rows)
        found = Prepared(ids[place])
        if preparing is not None and task in preparing:
            found = preparing[task].prepared(ids[place], numbers, (*key, zlib.crc32(task.encode())))
            ids[place] = found.ids
        parts.append(_part(task, place, numbers, sets[task], found))
        first += len(rows)
    return Batch(TextInputs.of(ids, types, segments), tuple(parts))


def _part(task: str, place: slice, rows: np.ndarray, encoded: EncodedSet, found: Prepared) -> Part:
    targets = _tensors({**chosen(encoded.targets, rows), **found.targets})
    arrays = _tensors({**chosen(encoded.arrays, rows), **found.arrays})
    return Part(task, place, rows, encoded.units_N[rows], targets, arrays)


def _tensors(columns: Columns) -> dict[str, Column[Tensor]]:
    return {
        name: Column(torch.from_numpy(np.ascontiguousarray(one.values)), one.offsets) for name, one in columns.items()
    }


def _zeros(span: slice) -> np.ndarray:
    return np.zeros(span.stop - span.start, np.int64)


def _segments(encoded: EncodedSet, row: int) -> np.ndarray:
    """1 at the hypothesis of a packed pair, 0 elsewhere."""
    found = _zeros(slice(*encoded.offsets[row : row + 2]))
    if SECONDS in encoded.arrays:
        found[int(encoded.arrays[SECONDS].values[row]) :] = 1
    return found


def filled(lengths: np.ndarray, max_rows: int | None, max_tokens: int | None) -> list[np.ndarray]:
    """Cut rows into as few forward passes as the limits allow, for an encoder that needs no padding.

    Args:
        lengths: tokens of each row, shape [n].
        max_rows: rows a pass at most.
        max_tokens: tokens a pass at most; a longer single row still makes a pass.

    Returns:
        Indices into `lengths`, one array a pass, in the order of the rows.
    """
    passes: list[list[int]] = [[]]
    tokens = 0
    for i, length in enumerate(lengths.tolist()):
        full = len(passes[-1]) == max_rows or (max_tokens is not None and tokens + length > max_tokens)
        if passes[-1] and full:
            passes.append([])
            tokens = 0
        passes[-1].append(i)
        tokens += length
    return [np.array(one) for one in passes]


def cut(lengths: np.ndarray, pass_cost: int, max_rows: int | None, max_tokens: int | None) -> list[np.ndarray]:
    """Cut rows into forward passes so that padding plus the cost of passes is least.

    Rows sorted by length are cut into runs; a run of rows i..j costs (its longest row) * (its rows) + `pass_cost`. The
    best cut is found exactly, by dynamic programming over the n sorted rows.

    Args:
        lengths: tokens of each row, shape [n].
        pass_cost: padded tokens that one more forward pass is worth.
        max_rows: rows a pass at most.
        max_tokens: padded tokens a pass at most; a longer single row still makes a pass.

    Returns:
        Indices into `lengths`, one array a pass, longest rows first (the largest memory is asked for at once).
    """
    n = len(lengths)
    order = np.argsort(lengths, kind="stable")
    sorted_lengths = lengths[order].astype(np.int64)
    best = np.zeros(n + 1, np.int64)
    start_of = np.zeros(n + 1, np.int64)
    for end in range(1, n + 1):
        longest = max(1, int(sorted_lengths[end - 1]))
        most = min(end, max_rows or end, max(1, max_tokens // longest) if max_tokens else end)
        starts = np.arange(end - most, end)
        costs = best[starts] + (end - starts) * longest + pass_cost
        at = int(costs.argmin())
        best[end], start_of[end] = costs[at], starts[at]
    passes = []
    end = n
    while end:
        start = int(start_of[end])
        passes.append(order[start:end])
        end = start
    return passes
