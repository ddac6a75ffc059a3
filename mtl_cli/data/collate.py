"""Encoded rows -> padded tensors, and how to cut a set of rows into forward passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mtl_cli.data.batch import Batch, Part
from mtl_cli.data.encoded import EncodedSet


@dataclass(frozen=True)
class RowRef:
    """One row of one task."""

    task: str
    row: int
    length: int


def collate(refs: Sequence[RowRef], sets: Mapping[str, EncodedSet], pad_id: int) -> Batch:
    """Pad some rows to the longest of them.

    Args:
        refs: rows in any order; they are grouped by task, in the order in which tasks first appear.
        sets: the encoded rows of each task.
        pad_id: token id of padding.
    """
    order: dict[str, list[RowRef]] = {}
    for ref in refs:
        order.setdefault(ref.task, []).append(ref)
    longest = max(ref.length for ref in refs)
    ids = np.full((len(refs), longest), pad_id, np.int64)
    any_types = any(sets[task].types_T is not None for task in order)
    types = np.zeros((len(refs), longest), np.int64) if any_types else None
    any_packed = any(sets[task].seconds_N is not None for task in order)
    segments = np.zeros((len(refs), longest), np.int64) if any_packed else None
    parts: list[Part] = []
    i = 0
    for task, rows in order.items():
        encoded, first = sets[task], i
        for ref in rows:
            start = int(encoded.offsets[ref.row])
            ids[i, : ref.length] = encoded.ids_T[start : start + ref.length]
            if types is not None and encoded.types_T is not None:
                types[i, : ref.length] = encoded.types_T[start : start + ref.length]
            if segments is not None and encoded.seconds_N is not None:
                segments[i, int(encoded.seconds_N[ref.row]) : ref.length] = 1
            i += 1
        labels = torch.from_numpy(encoded.labels_N[[ref.row for ref in rows]].astype(np.float32))
        parts.append(Part(task, slice(first, i), labels))
    lengths = np.array([ref.length for rows in order.values() for ref in rows])
    mask = None
    if lengths.min() < longest:
        mask = torch.from_numpy((np.arange(longest) < lengths[:, None]).astype(np.int64))
    types_BL, segments_BL = (None if a is None else torch.from_numpy(a) for a in (types, segments))
    return Batch(torch.from_numpy(ids), mask, types_BL, tuple(parts), segments_BL)


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
