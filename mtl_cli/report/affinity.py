"""Measured affinities: their means over the looks of a run, the groups they propose, tables and JSON. Legend: K tasks; T looks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mtl_cli.analysis.grouping import best_groups, group_score
from mtl_cli.errors import RunError
from mtl_cli.report.table import text_table

Measure = Literal["affinity", "cosines"]


@dataclass(frozen=True)
class Means:
    """A matrix for each pair of tasks, over looks; an entry is over those looks that have it."""

    mean_KK: np.ndarray
    error_KK: np.ndarray
    """Standard errors of the means; NaN with one look."""


@dataclass(frozen=True)
class Measured:
    """What the looks of a run come to."""

    tasks: tuple[str, ...]
    steps: tuple[int, ...]
    """The steps that were looked at."""
    cosines: Means
    """Of the gradients; symmetric."""
    affinity: Means | None
    """Row i, column j: Z_{i -> j}; None if nobody looked ahead."""

    def means(self, measure: Measure) -> Means:
        """One of the two. Raises `RunError` if it was not measured, or of a pair of tasks never."""
        found = self.cosines if measure == "cosines" else self.affinity
        if found is None:
            raise RunError("nobody looked ahead in this run: there are cosines alone. Give measure.kind=cosine.")
        bad_KK = ~np.isfinite(found.mean_KK)
        np.fill_diagonal(bad_KK, False)
        if bad_KK.any():
            i, j = np.argwhere(bad_KK)[0]
            why = "a gradient was zero, a loss was not finite, or no step held both"
            raise RunError(
                f"'{self.tasks[i]}' and '{self.tasks[j]}' have no value in any of {len(self.steps)} looks: {why}"
            )
        return found


@dataclass(frozen=True)
class Partition:
    """The best groups for one k."""

    k: int
    """Groups at most."""
    groups: tuple[tuple[str, ...], ...]
    score: float
    """`metrics.grouping.group_score`."""
    exact: bool


@dataclass(frozen=True)
class Proposal:
    """What a measurement proposes."""

    measured: Measured
    by: Measure
    """Which matrix the groups go by."""
    chosen: Partition
    best: tuple[Partition, ...]
    """For each k up to K."""
    together: float
    """Score of one group of all tasks; all alone have 0."""


def averaged(records: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> Measured:
    """Means over the looks of a run, each entry over those looks that have it.

    Args:
        records: of metrics.jsonl; those that are no look at the gradients are passed over.
        tasks: of the run, K of them.

    Raises:
        RunError: there is no look, or they looked ahead by different rates.
    """
    looks = [record for record in records if record.get("event") == "gradients"]
    if not looks:
        raise RunError(
            "the run has no look at the gradients: its tasks share nothing that is trained, or diagnostics.every is null"
        )
    rates = {record.get("look_ahead") for record in looks}
    if len(rates) > 1:
        raise RunError(
            f"the looks of this run are of different kinds: look_ahead is {', '.join(map(str, sorted(rates, key=str)))}"
        )
    try:
        cosines = _means(np.stack([_cosines(record, tasks) for record in looks]))
        affinity = None if rates == {None} else _means(np.stack([_affinity(record, tasks) for record in looks]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            "metrics.jsonl is damaged: a look at the gradients does not say how the tasks compare. Measure again."
        ) from error
    return Measured(tuple(tasks), tuple(int(record["step"]) for record in looks), cosines, affinity)


def _cosines(record: Mapping[str, Any], tasks: Sequence[str]) -> np.ndarray:
    found_KK = np.full((len(tasks), len(tasks)), np.nan)
    for i, a in enumerate(tasks):
        for j, b in enumerate(tasks):
            value = record["cosines"].get(f"{a}/{b}", record["cosines"].get(f"{b}/{a}"))
            found_KK[i, j] = np.nan if value is None else value
        if record["norms"].get(a):
            found_KK[i, i] = 1.0
    return found_KK


def _affinity(record: Mapping[str, Any], tasks: Sequence[str]) -> np.ndarray:
    rows = [[record["affinity"].get(a, {}).get(b) for b in tasks] for a in tasks]
    return np.array([[np.nan if value is None else value for value in row] for row in rows], np.float64)


def _means(values_TKK: np.ndarray) -> Means:
    there_TKK = np.isfinite(values_TKK)
    counts_KK = there_TKK.sum(0)
    some_KK = np.maximum(1, counts_KK)
    mean_KK = np.where(counts_KK, np.where(there_TKK, values_TKK, 0.0).sum(0) / some_KK, np.nan)
    squares_KK = np.where(there_TKK, (values_TKK - mean_KK) ** 2, 0.0).sum(0)
    error_KK = np.sqrt(squares_KK / np.maximum(1, counts_KK - 1) / some_KK)
    return Means(mean_KK, np.where(counts_KK > 1, error_KK, np.nan))


def proposed(measured: Measured, k: int, by: Measure) -> Proposal:
    """The best groups by one of the matrices. Raises `RunError` if a pair of tasks was never measured."""
    matrix_KK = measured.means(by).mean_KK
    tasks = measured.tasks
    best = []
    for at_most in range(1, len(tasks) + 1):
        found = best_groups(matrix_KK, at_most)
        groups = tuple(tuple(tasks[i] for i in group) for group in found.groups)
        best.append(Partition(at_most, groups, found.score, found.exact))
    together = group_score(matrix_KK, (tuple(range(len(tasks))),))
    return Proposal(measured, by, best[k - 1], tuple(best), together)


_SAID = {
    "cosines": "cosines of the tasks' gradients",
    "affinity": "look-ahead affinity: by which share a step on the row's task lowers the loss of the column's",
}


def affinity_tables(found: Proposal, shown: Sequence[Measure]) -> str:
    """The matrices, the best groups of each k, and what is proposed."""
    measured = found.measured
    blocks = [_matrix_block(measured, measure) for measure in shown]
    power = _power(measured, found.by)
    rows = [[str(p.k), _digits(p.score, power), _said(p.groups)] for p in found.best]
    blocks.append(f"best groups by {found.by}{_times(power)}\n{text_table(['at most', 'score', 'groups'], rows)}")
    chosen = found.chosen
    kept = "" if chosen.exact else " (a better one may exist: so many tasks are clustered)"
    score, together = _digits(chosen.score, power), _digits(found.together, power)
    said = f"proposed for k={chosen.k}: {_said(chosen.groups)}{kept}"
    blocks.append(f"{said}\nscore {score}; all in one group {together}, each alone 0{_times(power)}")
    return "\n\n".join(blocks)


def _said(groups: Sequence[Sequence[str]]) -> str:
    return " | ".join(" ".join(group) for group in groups)


def _matrix_block(measured: Measured, measure: Measure) -> str:
    means, power = measured.means(measure), _power(measured, measure)
    rows = [
        [task, *(_digits(value, power) for value in row)]
        for task, row in zip(measured.tasks, means.mean_KK.tolist(), strict=True)
    ]
    error_KK = means.error_KK.copy()
    np.fill_diagonal(error_KK, np.nan)
    there = error_KK[np.isfinite(error_KK)]
    noise = f", standard error about {_digits(float(np.median(there)), power)}" if there.size else ""
    looks = f"mean of {len(measured.steps)} looks" if len(measured.steps) > 1 else "one look"
    return f"{_SAID[measure]} ({looks}{noise}){_times(power)}\n{text_table(['', *measured.tasks], rows)}"


def _power(measured: Measured, measure: Measure) -> int:
    """Of ten, by which the numbers of a table are divided, so that the largest between two tasks has a digit before its point."""
    largest = float(np.abs(measured.means(measure).mean_KK[~np.eye(len(measured.tasks), dtype=bool)]).max())
    return 0 if measure == "cosines" or not largest else math.floor(math.log10(largest))


def _times(power: int) -> str:
    return f", times 1e{power}" if power else ""


def _digits(value: float, power: int) -> str:
    if value != value:
        return "-"
    text = f"{value / 10.0**power:.2f}"
    return text if float(text) else text.lstrip("-")


def proposal_json(found: Proposal) -> dict[str, Any]:
    """Plain values for affinity.json; fractions, not per cent."""
    measured = found.measured
    return {
        "tasks": list(measured.tasks),
        "looks": len(measured.steps),
        "steps": list(measured.steps),
        "cosines": measured.cosines.mean_KK.tolist(),
        "cosines_standard_error": measured.cosines.error_KK.tolist(),
        "affinity": None if measured.affinity is None else measured.affinity.mean_KK.tolist(),
        "affinity_standard_error": None if measured.affinity is None else measured.affinity.error_KK.tolist(),
        "grouped_by": found.by,
        "k": found.chosen.k,
        "groups": [list(group) for group in found.chosen.groups],
        "score": found.chosen.score,
        "score_together": found.together,
        "score_alone": 0.0,
        "exact": found.chosen.exact,
        "best": [{"k": p.k, "groups": [list(group) for group in p.groups], "score": p.score} for p in found.best],
    }
