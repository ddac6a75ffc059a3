"""A group of runs beside its baselines: deltas, intervals, verdicts.

Legend: R resamples, S seeds, N rows, V series of predictions of the same rows (one a run).

The interval of a delta is a paired percentile bootstrap (Efron & Tibshirani 1993, chapter 13; for scores of language
models Berg-Kirkpatrick et al. 2012). One resample of a task draws

- N rows of each validation set with replacement, the same for all runs and all baselines: a delta of two runs on the same
  rows varies less than either score does; and
- of S > 1 seeds S - 1 with replacement, for the runs and for the baselines each by themselves. S - 1 and not S, since the
  mean of S draws from S values varies by the factor (S - 1) / S too little, half too little at two seeds (McCarthy &
  Snowden 1985; Rao & Wu 1988).

and is the mean score of the drawn runs less that of the drawn baselines, every metric computed anew. For the mean over
tasks the rows are drawn within each task, and the drawn seeds are the same for all tasks that the same runs scored. With
two or three seeds an interval is a rough guide, with one it holds the noise of the rows alone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mtl_cli.analysis.seeds import FinishedRun, Group, grouped
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.metrics.base import Metric, examples, resample
from mtl_cli.metrics.bootstrap import draw, interval
from mtl_cli.runs.formats import Prediction, UnreadableError, read_predictions

Verdict = Literal["better", "worse", "within noise", "undefined"]


@dataclass(frozen=True)
class Side:
    """The score of the runs, or of the baselines, over their seeds."""

    score: float
    """Mean over seeds, a fraction."""
    deviation: float | None
    """Standard deviation over seeds (S - 1 below the sum); None of one seed."""
    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    """Optimiser steps of each run."""
    runs: tuple[str, ...]
    """Folders."""


@dataclass(frozen=True)
class Delta:
    """Runs less baselines."""

    value: float
    low: float | None
    """2.5 % point; None if no resample is defined."""
    high: float | None
    verdict: Verdict
    """better or worse: the interval lies on one side of 0."""


@dataclass(frozen=True)
class TaskComparison:
    """One task."""

    task: str
    metrics: tuple[str, ...]
    """The score is their mean."""
    higher_is_better: bool
    rows: int
    """Labelled rows that both were scored on."""
    note: str
    run: Side
    baseline: Side | None
    """None if there is none."""
    delta: Delta | None


@dataclass(frozen=True)
class MeanComparison:
    """The mean over the tasks with a baseline whose scores are better when higher."""

    tasks: tuple[str, ...]
    run: float
    run_deviation: float | None
    """Over seeds."""
    baseline: float
    delta: Delta


@dataclass(frozen=True)
class Comparison:
    """One group of runs."""

    name: str
    seeds: tuple[int, ...]
    rounds: int
    tasks: tuple[TaskComparison, ...]
    mean: MeanComparison | None
    """None if fewer than two tasks can be averaged."""


@dataclass(frozen=True)
class Resampling:
    """How to resample."""

    rounds: int
    """R."""
    seed: int


@dataclass(frozen=True)
class TaskScoring:
    """How the predictions of a task are read and scored."""

    metrics: Mapping[str, Metric]
    """By name, at least those that the group's config names."""
    parsed: Callable[[Any], Any]
    """A label or prediction as metrics take it from how it stands in files; raises `ValueError`."""
    classes: int
    """C; 0 where there are none."""


@dataclass(frozen=True)
class _Scores:
    """Scores of some runs: over all rows, and over the same resampled rows."""

    value_S: np.ndarray
    resampled_SR: np.ndarray

    def drawn(self, shares_RS: np.ndarray) -> np.ndarray:
        """Mean score of the drawn runs in each resample, shape [R]."""
        return (shares_RS.T * self.resampled_SR).sum(0)


@dataclass(frozen=True)
class _Paired:
    """A task scored for the runs and the baselines, with the seeds drawn for either."""

    summary: TaskComparison
    run: _Scores
    run_R: np.ndarray
    baseline_R: np.ndarray


def compare(
    group: Group, baselines: Mapping[str, Sequence[FinishedRun]], tasks: Mapping[str, TaskScoring], how: Resampling
) -> Comparison:
    """Compare a group of runs with the baselines of its tasks.

    Args:
        group: runs over seeds.
        baselines: by task, over seeds; a task without any is scored alone.
        tasks: how each is scored.
        how: resampling.

    Raises:
        ConfigError: no task has a baseline, baselines of a task differ in more than the seed, or the predictions are not
            of the same rows; with all such faults.
    """
    if not any(baselines.get(task) for task in group.tasks):
        has = f"the baselines have {', '.join(sorted(baselines))}" if baselines else "there are no baselines"
        raise ConfigError(f"{group.name}: it has the tasks {', '.join(group.tasks)}, {has}: no shared task")
    shares = _Shares(how)
    run_shares_RS = shares.of(group.runs)
    faults: list[Fault] = []
    compared: list[TaskComparison] = []
    pairs: list[_Paired] = []
    for task in group.tasks:
        try:
            against = _one_group(task, baselines.get(task, ()))
            scored = _score(task, [*group.runs, *against], tasks[task], how)
        except ConfigError as error:
            faults += error.faults
            continue
        count = len(group.runs)
        run, base = scored.part(0, count), scored.part(count, count + len(against))
        entry = group.runs[0].summary.tasks[task]
        higher = entry.higher_is_better
        run_R = run.drawn(run_shares_RS)
        base_R = base.drawn(shares.of(against)) if against else np.empty(0)
        delta = _delta(run.value_S.mean() - base.value_S.mean(), run_R - base_R, higher) if against else None
        summary = TaskComparison(
            task, scored.metrics, higher, scored.rows, entry.note, _side(run, group.runs),
            _side(base, against) if against else None, delta,
        )  # fmt: skip
        compared.append(summary)
        if against and higher:
            pairs.append(_Paired(summary, run, run_R, base_R))
    if faults:
        raise ConfigError(faults)
    return Comparison(
        group.name, tuple(group.seeds), how.rounds, tuple(compared), _mean(pairs) if len(pairs) > 1 else None
    )


def _mean(pairs: Sequence[_Paired]) -> MeanComparison:
    run_S = np.mean([p.run.value_S for p in pairs], axis=0)
    baseline = float(np.mean([p.summary.baseline.score for p in pairs if p.summary.baseline]))
    delta_R = np.mean([p.run_R - p.baseline_R for p in pairs], axis=0)
    value = float(np.mean([p.summary.delta.value for p in pairs if p.summary.delta]))
    return MeanComparison(
        tuple(p.summary.task for p in pairs),
        float(run_S.mean()),
        _deviation(run_S),
        baseline,
        _delta(value, delta_R, True),
    )


def _delta(value: float, delta_R: np.ndarray, higher: bool) -> Delta:
    around = interval(delta_R)
    return Delta(float(value), around.low, around.high, _verdict(float(value), around.low, around.high, higher))


def _verdict(value: float, low: float | None, high: float | None, higher: bool) -> Verdict:
    if low is None or high is None or math.isnan(value):
        return "undefined"
    if low <= 0 <= high:
        return "within noise"
    return "better" if (low > 0) == higher else "worse"


def _side(scores: _Scores, runs: Sequence[FinishedRun]) -> Side:
    return Side(
        float(scores.value_S.mean()), _deviation(scores.value_S), tuple(run.seed for run in runs),
        tuple(run.summary.steps or 0 for run in runs), tuple(str(run.path) for run in runs),
    )  # fmt: skip


def _deviation(value_S: np.ndarray) -> float | None:
    return float(value_S.std(ddof=1)) if len(value_S) > 1 else None


def _one_group(task: str, runs: Sequence[FinishedRun]) -> Sequence[FinishedRun]:
    groups = grouped(runs)
    if len(groups) > 1:
        names = " and ".join(group.name for group in groups[:2])
        raise ConfigError([Fault(task, f"{names} differ in more than the seed: they are no one baseline. Give one.")])
    return groups[0].runs if groups else ()


class _Shares:
    """Draws seeds: the share of each run in each resample, the same whenever the same runs are asked about.

    Args:
        how: resampling.
    """

    def __init__(self, how: Resampling) -> None:
        self._how = how
        self._drawn: dict[tuple[Path, ...], np.ndarray] = {}

    def of(self, runs: Sequence[FinishedRun]) -> np.ndarray:
        """Shape [R, S]; rows sum to 1."""
        key = tuple(run.path.resolve() for run in runs)
        if key not in self._drawn:
            rng = np.random.default_rng((self._how.seed, len(self._drawn), 7))
            draws = max(1, len(runs) - 1)
            chances = np.full(len(runs), 1 / len(runs))
            self._drawn[key] = rng.multinomial(draws, chances, size=self._how.rounds) / draws
        return self._drawn[key]


@dataclass(frozen=True)
class _Scored:
    """One task scored for several runs on the same rows."""

    metrics: tuple[str, ...]
    rows: int
    value_V: np.ndarray
    resampled_VR: np.ndarray

    def part(self, start: int, end: int) -> _Scores:
        """Some of the runs."""
        return _Scores(self.value_V[start:end], self.resampled_VR[start:end])


def _score(task: str, runs: Sequence[FinishedRun], by: TaskScoring, how: Resampling) -> _Scored:
    """Every metric on every set, for all runs at once; the mean over both, as `TaskScore.value` has it."""
    entries = runs[0].summary.tasks[task].metrics
    names = tuple(dict.fromkeys(m.metric for m in entries))
    scored, classes = [by.metrics[name] for name in names], by.classes
    values: list[list[float]] = []
    resampled: list[np.ndarray] = []
    rows = 0
    for set_name in dict.fromkeys(m.set_name for m in entries):
        gold_N, predicted_VN = _same_rows(task, set_name, runs, by.parsed)
        rows += len(gold_N)
        draws = draw([gold_N, *predicted_VN], how.rounds, how.seed, f"{task}.{set_name}")
        values += [[metric.evaluate(gold_N, one_N, classes) for one_N in predicted_VN] for metric in scored]
        resampled += [*resample(scored, gold_N, predicted_VN, classes, draws)]
    return _Scored(names, rows, np.mean(values, axis=0), np.mean(resampled, axis=0))


def _same_rows(
    task: str, set_name: str, runs: Sequence[FinishedRun], parsed: Callable[[Any], Any]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Labels [N] and V times predictions [N] of the labelled rows. Raises `ConfigError` if the runs were not scored on the same rows."""
    first, *others = [_predictions(run, task, set_name) for run in runs]
    for run, other in zip(runs[1:], others, strict=True):
        found = _difference([row.label for row in first], [row.label for row in other]) or _difference(
            [row.row for row in first], [row.row for row in other]
        )
        if found:
            where = f"{runs[0].path} and {run.path} were not scored on the same {set_name} rows"
            raise ConfigError([Fault(task, f"{where}: {found}. A paired comparison needs the same rows for both.")])
    labelled = [i for i, row in enumerate(first) if row.label is not None]
    gold_N = _read([first[i].label for i in labelled], parsed, runs[0], task)
    return gold_N, [
        _read([rows[i].prediction for i in labelled], parsed, run, task)
        for rows, run in zip([first, *others], runs, strict=True)
    ]


def _difference(a: Sequence[Any], b: Sequence[Any]) -> str:
    if len(a) != len(b):
        return f"{len(a):,} and {len(b):,} rows"
    place = next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), None)
    return "" if place is None else f"row {place} is {a[place]!r} in one and {b[place]!r} in the other"


def _predictions(run: FinishedRun, task: str, set_name: str) -> list[Prediction]:
    path = run.path / "predictions" / f"{task}.{set_name}.jsonl"
    if not os.path.lexists(path):
        sets = sorted(p.name for p in path.parent.glob(f"{task}.*.jsonl"))
        there = f"there is {', '.join(sets)}" if sets else f"it has no predictions of {task}"
        raise ConfigError([Fault(task, f"{path} is not there ({there}): no row can be paired")])
    try:
        return read_predictions(path)
    except UnreadableError as error:
        raise ConfigError([Fault(task, f"{path} cannot be read as predictions of mtl: it {error.problem}")]) from error


def _read(values: Sequence[Any], parsed: Callable[[Any], Any], run: FinishedRun, task: str) -> np.ndarray:
    """Labels or predictions as metrics take them."""
    try:
        return examples([parsed(value) for value in values])
    except ValueError as error:
        raise ConfigError([Fault(task, f"{run.path} has a prediction or label that {error}")]) from error
