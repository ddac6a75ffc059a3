"""Comparisons as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mtl_cli.analysis.paired import Comparison, Delta, Side, TaskComparison
from mtl_cli.report.table import shown, text_table

_HEADER = ["task", "run", "baseline", "delta", "95 % interval", "verdict", "rows", "steps"]


def verdict_table(found: Sequence[Comparison]) -> str:
    """A block for each group of runs; what the intervals rest on stands below it."""
    return "\n\n".join(_block(one) for one in found)


def _block(one: Comparison) -> str:
    notes = sorted({task.note for task in one.tasks if task.note})
    rows = [[*_task_row(task), *([task.note] if notes else [])] for task in one.tasks]
    if one.mean is not None:
        unit = "accuracy"
        row = ["mean", _spread(unit, one.mean.run, one.mean.run_deviation), shown(unit, one.mean.baseline)]
        rows.append([*row, *_delta_cells(unit, one.mean.delta), "", "", *(["; ".join(notes)] if notes else [])])
    table = text_table([*_HEADER, *(["data"] if notes else [])], rows)
    return "\n".join([f"{one.name} beside its baselines", table, *_basis(one)])


def _unit(task: TaskComparison) -> str:
    """A metric that says how the task's score is shown: plain as soon as one of them is no fraction."""
    return next((m for m in task.metrics if shown(m, 1.0) != "100.0"), task.metrics[0])


def _task_row(task: TaskComparison) -> list[str]:
    unit = _unit(task)
    run = _spread(unit, task.run.score, task.run.deviation)
    if task.baseline is None or task.delta is None:
        return [task.task, run, "-", "-", "-", "no baseline", f"{task.rows:,}", _steps(task.run)]
    base = _spread(unit, task.baseline.score, task.baseline.deviation)
    steps = f"{_steps(task.run)} / {_steps(task.baseline)}"
    return [task.task, run, base, *_delta_cells(unit, task.delta), f"{task.rows:,}", steps]


def _delta_cells(unit: str, delta: Delta) -> list[str]:
    interval = "-" if delta.low is None else f"{_signed(unit, delta.low)} .. {_signed(unit, delta.high)}"
    return [_signed(unit, delta.value), interval, delta.verdict]


def _signed(unit: str, value: float | None) -> str:
    text = shown(unit, value)
    if text == "-" or value is None:
        return "-"
    zero = not float(text)
    return text.lstrip("-") if zero else text if value < 0 else f"+{text}"


def _spread(unit: str, score: float, deviation: float | None) -> str:
    return shown(unit, score) + ("" if deviation is None else f" ± {shown(unit, deviation)}")


def _steps(side: Side) -> str:
    low, high = min(side.steps), max(side.steps)
    return str(low) if low == high else f"{low}-{high}"


def _basis(one: Comparison) -> list[str]:
    """What the intervals hold and what they do not."""
    against = {len(task.baseline.seeds) for task in one.tasks if task.baseline}
    counts = "-".join(str(n) for n in sorted({min(against), max(against)}))
    seeds = f"{len(one.seeds)} {_plural(len(one.seeds))} ({', '.join(map(str, one.seeds))})"
    lines = [f"{seeds} beside {counts} of the baselines; {one.rounds:,} paired resamples; steps: run / baseline"]
    if len(one.seeds) == 1 or min(against) == 1:
        few = "one seed" if max(len(one.seeds), *against) == 1 else "one seed on a side"
        lines.append(f"{few}: the intervals hold the noise of the rows, not that of another seed (seeds=[1,2,3])")
    lines += [
        f"undefined: {task.task}, {' and '.join(task.metrics)}: all labels or all predictions of a run are alike"
        for task in one.tasks
        if task.delta is not None and task.delta.value != task.delta.value
    ]
    lacking = [task.task for task in one.tasks if task.baseline is None]
    if lacking and one.mean is not None:
        lines.append(f"the mean is over {', '.join(one.mean.tasks)}")
    return lines


def _plural(count: int) -> str:
    return "seed" if count == 1 else "seeds"


def verdict_json(found: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Plain values; scores are fractions."""
    return [asdict(one) for one in found]


def verdict_csv(found: Sequence[Comparison]) -> str:
    """One line a group and task, `mean` among the tasks; scores are fractions."""
    stream = io.StringIO()
    lines = [line for one in found for line in _csv_lines(one)]
    writer = csv.DictWriter(stream, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows([{k: "" if v is None or v != v else v for k, v in line.items()} for line in lines])
    return stream.getvalue().rstrip("\n")


def _csv_lines(one: Comparison) -> list[dict[str, Any]]:
    lines = [_csv_task(one, task) for task in one.tasks]
    if one.mean is not None:
        mean = one.mean
        line: dict[str, Any] = dict.fromkeys(lines[0])
        line |= {"run": one.name, "task": "mean", "seeds": len(one.seeds), "score": mean.run}
        line |= {"deviation": mean.run_deviation, "baseline": mean.baseline, "higher_is_better": True}
        lines.append(line | _csv_delta(mean.delta))
    return lines


def _csv_task(one: Comparison, task: TaskComparison) -> dict[str, Any]:
    base = task.baseline
    return {
        "run": one.name, "task": task.task, "metrics": " ".join(task.metrics), "rows": task.rows,
        "seeds": len(task.run.seeds), "baseline_seeds": len(base.seeds) if base else 0,
        "score": task.run.score, "deviation": task.run.deviation,
        "baseline": base.score if base else None, "baseline_deviation": base.deviation if base else None,
        **_csv_delta(task.delta),
        "higher_is_better": task.higher_is_better,
        "steps": _steps(task.run), "baseline_steps": _steps(base) if base else None, "note": task.note,
    }  # fmt: skip


def _csv_delta(delta: Delta | None) -> dict[str, Any]:
    return {"delta": None, "low": None, "high": None, "verdict": None} if delta is None else {
        "delta": delta.value, "low": delta.low, "high": delta.high, "verdict": delta.verdict,
    }  # fmt: skip
