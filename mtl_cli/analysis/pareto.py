"""Runs that no other run beats on every task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mtl_cli.analysis.collect import RunRecord


def front(points: Sequence[Sequence[float]]) -> list[bool]:
    """Which points are Pareto-optimal, more being better in each coordinate.

    A point is on the front if no other is at least as good everywhere and better somewhere; equal points are on it together. A
    point with a NaN is not on it and beats none.
    """

    def beats(a: Sequence[float], b: Sequence[float]) -> bool:
        return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))

    return [not any(math.isnan(x) for x in p) and not any(beats(q, p) for q in points) for p in points]


def marked(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs with their marks. Those that have scored the same tasks are compared with one another."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, run in enumerate(runs):
        groups.setdefault(tuple(sorted(run.tasks)), []).append(i)
    marks = [""] * len(runs)
    for tasks, members in groups.items():
        if not tasks:
            continue
        for i, on_front in zip(members, front([_goods(runs[i], tasks) for i in members]), strict=True):
            marks[i] = "*" if on_front else ""
    # A mean over other tasks is another number: the best one is looked for among runs of the same tasks.
    best_of = {tasks: _best_mean([runs[i] for i in members]) for tasks, members in groups.items()}
    words = []
    for run, mark in zip(runs, marks, strict=True):
        is_best = _number(run.scores.get("mean")) == best_of[tuple(sorted(run.tasks))]
        words.append(" ".join(word for word in (mark, "best mean" if is_best else "") if word))
    return [replace(run, mark=word) for run, word in zip(runs, words, strict=True)]


def as_json(runs: Sequence[RunRecord], varied: Sequence[str]) -> list[dict[str, Any]]:
    """Marked runs for other programs: fractions, null for what is not there."""
    return [
        {
            "run": run.name,
            "status": run.status,
            "varied": {key: run.config.get(key) for key in varied},
            "mean": run.scores.get("mean"),
            "tasks": {task: run.scores[task] for task in run.tasks},
            "front": run.mark.startswith("*"),
            "best_mean": run.mark.endswith("best mean"),
        }
        for run in runs
    ]


def _best_mean(runs: Sequence[RunRecord]) -> float:
    means = [_number(run.scores.get("mean")) for run in runs]
    return max((mean for mean in means if not math.isnan(mean)), default=math.nan)


def _goods(run: RunRecord, tasks: Sequence[str]) -> list[float]:
    """Scores with the sign turned where less is better."""
    signs = {t: 1 if run.summary is None or run.summary.tasks[t].higher_is_better else -1 for t in tasks}
    return [signs[t] * _number(run.scores[t]) for t in tasks]


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
