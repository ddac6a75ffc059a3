"""Tables in plain text; GLUE's habit of showing fractions as per cent."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from mtl_cli.config.registry import FAMILIES, resolve
from mtl_cli.metrics.scorer import TaskScore, mean_score

_OF_LABEL_SETS = ("micro_f1", "exact_match")
"""Scores of several labels a text, which no task can name as its metric yet."""


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest cell; numbers to the right."""
    widths = [max(len(r[i]) for r in [header, *rows]) for i in range(len(header))]
    numeric = [bool(rows) and all(_is_number(r[i]) for r in rows) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(
            c.rjust(w) if n else c.ljust(w) for c, w, n in zip(cells, widths, numeric, strict=True)
        ).rstrip()

    return "\n".join([line(header), line(["-" * w for w in widths]), *(line(r) for r in rows)])


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "") or "0")
    except ValueError:
        return cell in ("-", "")
    return True


def shown(metric: str, value: float | None) -> str:
    """A value as tables show it: per cent for fractions, plain otherwise, `-` for none or NaN."""
    if value is None or value != value:
        return "-"
    return f"{100 * value:.1f}" if _is_fraction(metric) else f"{value:.3f}"


@functools.cache
def _is_fraction(metric: str) -> bool:
    """Whether a metric is shown as per cent; one of the user's own is shown as it is."""
    return metric in _OF_LABEL_SETS or (metric in FAMILIES["metric"] and resolve("metric", metric).is_fraction)  # type: ignore[attr-defined]


def score_table(scores: Sequence[TaskScore], title: str) -> str:
    """One line a metric, then the mean; notes on the data stand beside the scores they are about."""
    rows = [
        [
            s.task,
            m.set_name,
            m.metric,
            shown(m.metric, m.value),
            f"{shown(m.metric, m.low)} .. {shown(m.metric, m.high)}",
            f"{m.rows:,}",
            s.note,
        ]
        for s in scores
        for m in s.metrics
    ]
    notes = sorted({s.note for s in scores if s.note})
    if len(scores) > 1:
        rows.append(["mean", "", "", shown("accuracy", mean_score(scores)), "", "", "; ".join(notes)])
    header = ["task", "set", "metric", "score", "95 % interval", "rows", "data" if notes else ""]
    return "\n".join([title, text_table(header, rows), *undefined_lines(scores)])


def undefined_lines(scores: Sequence[TaskScore]) -> list[str]:
    """What has no score and why; a mean over other tasks is not given, as it would look like one over all."""
    lines = [f"undefined: {s.task}, {reason}" for s in scores for reason in s.reasons()]
    if lines and len(scores) > 1 and any(s.reasons() and s.higher_is_better for s in scores):
        lines.append("so the mean over tasks is undefined too")
    return lines
