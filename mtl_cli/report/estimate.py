"""What questions would cost, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtl_cli.report.table import text_table


@dataclass(frozen=True)
class Cost:
    """What one engine would take."""

    engine: str
    rows: int
    labels: int
    """Of the largest label set."""
    tokens: int
    """Through the model, without padding but for `causal`; of an endpoint about as many as it is sent."""
    passes: int
    """Forward passes, or requests."""
    planned_rows: int
    """Rows that tokens and passes were counted on; fewer than `rows`: they were scaled up."""
    minutes: float | None
    """None: it was not tried, since texts would leave the machine."""
    measured: str
    """Where and on how many texts the minutes were measured, or why they were not."""


def cost_table(costs: Sequence[Cost]) -> str:
    """One line an engine, then how the figures came about."""
    rows = [
        [c.engine, f"{c.rows:,}", f"{c.labels:,}", f"{c.tokens:,}", f"{c.passes:,}", _minutes(c.minutes), c.measured]
        for c in costs
    ]
    table = text_table(["engine", "rows", "labels", "tokens", "passes", "minutes", "minutes measured"], rows)
    scaled = [c for c in costs if c.planned_rows < c.rows]
    lines = [
        f"{c.engine}: tokens and passes were counted on {c.planned_rows:,} of {c.rows:,} rows and scaled up"
        for c in scaled
    ]
    lines.append(
        "tokens without padding (causal: with it); minutes without loading the model; what a cache may know already is not taken off"
    )
    return "\n".join([table, *lines])


def _minutes(minutes: float | None) -> str:
    if minutes is None:
        return "-"
    return f"{minutes:.1f}" if minutes < 10 else f"{minutes:,.0f}"
