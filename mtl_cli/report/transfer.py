"""What a mix of tasks adds to zero-shot on tasks outside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtl_cli.metrics.paired import PairedScores
from mtl_cli.report.table import text_table

_COLUMNS = {
    "untrained": "untrained encoder",
    "core": "without any family",
    "without": "without this family",
    "whole": "whole mix",
}


@dataclass(frozen=True)
class TransferRow:
    """One task that was asked."""

    family: str
    task: str
    rows: int
    scores: Mapping[str, PairedScores]
    """By run: core (the first, which deltas are against), without, whole, untrained."""


@dataclass(frozen=True)
class TransferTable:
    """All tasks."""

    rows: tuple[TransferRow, ...]
    rounds: int
    seed: int


def transfer_table(found: TransferTable) -> str:
    """A line a task, then the mean: macro-F1 of each run, and what the other families add to it."""
    shown = [name for name in _COLUMNS if all(name in row.scores for row in found.rows)]
    header = [
        "family",
        "task",
        *(_COLUMNS[name] for name in shown),
        "added by the mix",
        "95 % interval",
        "verdict",
        "rows",
    ]
    rows = []
    for row in found.rows:
        delta = row.scores["without"].deltas["macro_f1"]
        low, high = delta.low, delta.high
        known = low is not None and high is not None
        verdict = (
            "-" if low is None or high is None else "better" if low > 0 else "worse" if high < 0 else "within noise"
        )
        interval = f"{100 * low:+.1f} .. {100 * high:+.1f}" if known and low is not None and high is not None else "-"
        values = [f"{100 * row.scores[name].metrics['macro_f1'].value:.1f}" for name in shown]
        rows.append([row.family, row.task, *values, f"{100 * delta.value:+.1f}", interval, verdict, f"{row.rows:,}"])
    count = len(found.rows)
    means = [sum(r.scores[name].metrics["macro_f1"].value for r in found.rows) / count for name in shown]
    added = sum(r.scores["without"].deltas["macro_f1"].value for r in found.rows) / count
    rows.append(["mean", "", *(f"{100 * mean:.1f}" for mean in means), f"{100 * added:+.1f}", "", "", ""])
    basis = (
        "macro-F1 of zero-shot answers; no run but the whole mix has seen a row or label of the family in its line; added: the run without "
        f"this family less the run without any, over the same rows ({found.rounds:,} paired resamples), one seed ({found.seed})"
    )
    return f"{text_table(header, rows)}\n{basis}"
