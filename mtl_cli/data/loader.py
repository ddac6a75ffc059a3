"""Sampler + encoded rows -> the StepBatch of each step: a function of seed and step, so that a run can go on anywhere."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtl_cli.data.batch import Batch, StepBatch
from mtl_cli.data.collate import Preparing, RowRef, collate, cut, filled
from mtl_cli.data.encoded import EncodedSet
from mtl_cli.data.sampler.base import Sampler


@dataclass(frozen=True)
class Passes:
    """How rows are cut into forward passes; see `collate.cut` and `collate.filled`."""

    pass_cost: int | None
    """Padded tokens that one more pass is worth; None: the encoder needs no padding, and passes are filled."""
    max_rows: int | None
    max_tokens: int | None
    by_task: bool = False
    """Each pass holds rows of one task."""

    def cut(self, lengths: np.ndarray) -> list[np.ndarray]:
        """Indices into the lengths of some rows, one array a pass."""
        if self.pass_cost is None:
            return filled(lengths, self.max_rows, self.max_tokens)
        return cut(lengths, self.pass_cost, self.max_rows, self.max_tokens)


class RowStream:
    """An endless stream of one task's rows: a fresh permutation an epoch, any position at once."""

    def __init__(self, name: str, rows: np.ndarray, seed: int) -> None:
        self._rows = rows
        # By name, so that adding a task does not change the order of another one's rows.
        self._key = (seed, zlib.crc32(name.encode()))
        self._epoch = -1
        self._order = rows

    def take(self, start: int, count: int) -> np.ndarray:
        """Rows at positions start .. start + count of the stream."""
        taken = []
        while count:
            epoch, at = divmod(start, len(self._rows))
            piece = self._permutation(epoch)[at : at + count]
            taken.append(piece)
            start, count = start + len(piece), count - len(piece)
        return np.concatenate(taken) if taken else np.empty(0, np.int64)

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            self._epoch, self._order = epoch, np.random.default_rng((*self._key, epoch)).permutation(self._rows)
        return self._order


def limited(usable_N: np.ndarray, limit: int | None) -> np.ndarray:
    """Indices of the usable rows, at most `limit` of them as `chosen_rows` chooses."""
    return chosen_rows(np.flatnonzero(usable_N), limit)


def chosen_rows(numbers_N: np.ndarray, limit: int | None) -> np.ndarray:
    """At most `limit` of some row numbers, scattered over the set, in order.

    Which ones follows from the numbers alone: runs that differ in seed, tasks or batches meet the same rows, so that their
    scores can be compared row by row; and a smaller limit takes some of the rows of a larger one.
    """
    if limit is None or limit >= len(numbers_N):
        return numbers_N
    return np.sort(numbers_N[np.argsort(_scattered(numbers_N), kind="stable")[:limit]])


def _scattered(numbers_N: np.ndarray) -> np.ndarray:
    """A fixed 64-bit hash of each number (the finaliser of SplitMix64; Steele, Lea & Flood 2014)."""
    x_N = numbers_N.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x_N = (x_N ^ (x_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x_N = (x_N ^ (x_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x_N ^ (x_N >> np.uint64(31))


class StepLoader:
    """Makes the batch of each step.

    The sampler says how many rows of each task a step holds, and these counts are kept exactly. Inside a step, rows are
    cut into forward passes by length, which changes no gradient. With `window` above 1, the rows of so many steps are
    drawn at once and dealt so that rows of like length meet in a step: less padding, but no longer independent draws.

    Args:
        sets: encoded training rows by task.
        rows: which rows of each may be used.
        sampler: over the same tasks in the same order.
        size: rows a step.
        window: steps planned together.
        passes: how to cut.
        seed: of all draws.
        rank: this process.
        world: number of processes; they share the rows of a step.
        preparing: of the tasks whose rows are changed on their way into a batch.
    """

    def __init__(
        self, sets: Mapping[str, EncodedSet], rows: Mapping[str, np.ndarray], sampler: Sampler, *, size: int, window: int,
        passes: Passes, seed: int, rank: int = 0, world: int = 1, preparing: Mapping[str, Preparing] | None = None,
    ) -> None:  # fmt: skip
        self._preparing = preparing
        self._sets, self._sampler, self._size, self._window = sets, sampler, size, window
        self._passes, self._seed, self._rank, self._world = passes, seed, rank, world
        self._streams = {name: RowStream(name, rows[name], seed) for name in sets}
        self._cursors = dict.fromkeys(sets, 0)
        self._next_cursors = self._cursors
        self._planned: tuple[int, list[list[RowRef]]] = (-1, [])
        self._chances: list[dict[str, float]] = []
        self._sampler_state = copy.deepcopy(sampler.state_dict())

    def step(self, step: int) -> StepBatch:
        """The batch of step `step`; steps must be asked for in order, from 0 or from where the state was saved."""
        window, offset = divmod(step, self._window)
        if self._planned[0] != window:
            self._cursors = self._next_cursors
            # From before the plan: a resumed run plans the window once more.
            self._sampler_state = copy.deepcopy(self._sampler.state_dict())
            self._planned = (window, self._plan(window))
        refs = self._planned[1][offset]
        rows = {name: [ref.row for ref in refs if ref.task == name] for name in self._sets}
        units = {name: int(self._sets[name].units_N[own].sum()) for name, own in rows.items() if own}
        return StepBatch(self._cut(refs, step), units, len(refs), sum(ref.length for ref in refs))

    def chances(self, step: int) -> dict[str, float]:
        """Expected share of each task's rows in a step of the current window, as it was planned."""
        return self._chances[step % self._window]

    def _plan(self, window: int) -> list[list[RowRef]]:
        """Rows of each step of a window; each task's rows are dealt by length if there are several steps."""
        first = window * self._window
        counts, self._chances = [], []
        for t in range(first, first + self._window):
            self._chances.append(dict(zip(self._sets, self._sampler.chances_K(t).tolist(), strict=True)))
            counts.append(self._sampler.counts(t, self._size, np.random.default_rng((self._seed, 1, t))))
        steps: list[list[RowRef]] = [[] for _ in counts]
        self._next_cursors = dict(self._cursors)
        # Which step of the window gets the short rows is random, so that length does not go with time.
        deal = np.random.default_rng((self._seed, 3, window)).permutation(self._window)
        for k, name in enumerate(self._sets):
            wanted = [int(c[k]) for c in counts]
            rows = self._streams[name].take(self._cursors[name], sum(wanted))
            self._next_cursors[name] += sum(wanted)
            lengths = self._sets[name].lengths(rows)
            if self._window > 1:
                order = np.argsort(lengths, kind="stable")
                rows, lengths = rows[order], lengths[order]
            at = 0
            for s in deal:
                steps[s] += [RowRef(name, int(rows[i]), int(lengths[i])) for i in range(at, at + wanted[s])]
                at += wanted[s]
        return steps

    def _cut(self, refs: list[RowRef], step: int) -> tuple[Batch, ...]:
        # Every world-th row of the sorted list: each process gets its share of long and short rows.
        mine = sorted(refs, key=lambda ref: ref.length)[self._rank :: self._world]
        by_task = self._passes.by_task
        kept_apart = [[ref for ref in mine if ref.task == name] for name in self._sets] if by_task else [mine]
        return tuple(
            collate([refs[i] for i in piece], self._sets, self._preparing, (self._seed, 5, step))
            for refs in kept_apart
            if refs
            for piece in self._passes.cut(np.array([ref.length for ref in refs]))
        )

    def state_dict(self) -> dict[str, Any]:
        """Where each task's stream and the sampler stood at the start of the current window, and where the sampler stands now.

        An evaluation inside a window tells the sampler something new, which must not change the window's plan and must not be lost.
        """
        return {
            "cursors": dict(self._cursors),
            "window": self._planned[0],
            "sampler": self._sampler_state,
            "sampler_now": copy.deepcopy(self._sampler.state_dict()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._sampler.load_state_dict(state["sampler"])
        self._sampler_state = copy.deepcopy(state["sampler"])
        self._planned = (-1, [])
        self._cursors = self._next_cursors = {name: int(state["cursors"][name]) for name in self._sets}
        if state["window"] >= 0:
            self._planned = (int(state["window"]), self._plan(int(state["window"])))
        self._sampler.load_state_dict(copy.deepcopy(state["sampler_now"]))
