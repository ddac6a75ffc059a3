"""Zero-shot engines side by side on the same texts."""

from __future__ import annotations

from dataclasses import dataclass

from mtl_cli.metrics.paired import PairedScores, Value
from mtl_cli.report.table import shown, text_table

_SHOWN = ("accuracy", "macro_f1")


@dataclass(frozen=True)
class EngineRow:
    """One engine."""

    name: str
    scores: PairedScores | None
    """None: no row has a gold label."""
    same: float
    """Share of all rows with the first engine's label."""
    seconds: float


@dataclass(frozen=True)
class EngineTable:
    """All engines, the first of which the others are compared with."""

    rows: tuple[EngineRow, ...]
    texts: int
    gold: int
    """Rows with a gold label that no engine was fitted on."""
    rounds: int


def engine_table(found: EngineTable) -> str:
    """A line an engine: metrics with intervals, and the difference in accuracy to the first."""
    scored = all(row.scores is not None for row in found.rows)
    names = _SHOWN if scored else ()
    header = ["engine", *(cell for name in names for cell in (name, "95 % interval"))]
    header += ["delta accuracy", "95 % interval", "p"] * scored + ["same label", "seconds"]
    rows = []
    for i, row in enumerate(found.rows):
        cells = [row.name]
        if row.scores is not None:
            for name in names:
                cells += [shown(name, row.scores.metrics[name].value), _interval(name, row.scores.metrics[name])]
            delta = row.scores.deltas["accuracy"]
            cells += (
                [_signed(delta.value), _interval("accuracy", delta), f"{row.scores.p:.3g}"] if i else ["-", "-", "-"]
            )
        rows.append([*cells, f"{100 * row.same:.1f}" if i else "-", f"{row.seconds:.1f}"])
    first = found.rows[0].name
    basis = (
        f"{found.gold:,} of {found.texts:,} rows with gold labels"
        if scored
        else f"{found.texts:,} rows, none with a gold label"
    )
    test = (
        f"; delta, paired interval ({found.rounds:,} resamples) and McNemar's exact test are against {first}"
        if scored
        else ""
    )
    return f"{text_table(header, rows)}\n{basis}{test}; same label: as {first}"


def _interval(name: str, value: Value) -> str:
    return "-" if value.low is None else f"{shown(name, value.low)} .. {shown(name, value.high)}"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}"
