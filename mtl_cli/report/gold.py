"""Answers beside gold labels: confusions, and what abstaining buys."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence

from mtl_cli.metrics.calibration import Coverage
from mtl_cli.report.table import text_table

_MATRIX = 12
"""Labels that a confusion matrix is shown for; with more, the pairs that are confused most."""
_PAIRS = 10


def confusion_text(labels: Sequence[str], pairs: Counter[tuple[str, str]]) -> str:
    """Rows by gold label and by answer.

    Args:
        labels: in the order to show.
        pairs: (gold, answered) -> rows.
    """
    if len(labels) <= _MATRIX:
        rows = [[gold, *(f"{pairs[gold, answered]:,}" for answered in labels)] for gold in labels]
        return f"rows by gold label (down) and answer (across)\n{text_table(['', *labels], rows)}"
    wrong = [(gold, answered, n) for (gold, answered), n in pairs.items() if gold != answered]
    if not wrong:
        return "no label was taken for another"
    wrong.sort(key=lambda found: (-found[2], found[0], found[1]))
    table = text_table(["gold", "answer", "rows"], [[gold, answered, f"{n:,}"] for gold, answered, n in wrong[:_PAIRS]])
    return f"labels that were confused most\n{table}"


def coverage_table(curve: Sequence[Coverage]) -> str:
    """Ten points of a curve: the first that reaches each tenth of the rows."""
    chosen = [next(p for p in curve if p.coverage >= tenth / 10 - 1e-9) for tenth in range(1, 11)]
    rows = [
        [f"{p.threshold:.3f}", f"{100 * p.coverage:.1f}", f"{100 * p.accuracy:.1f}", f"{p.answered:,}"]
        for p in dict.fromkeys(chosen)
    ]
    return (
        f"if only answers above a probability are given\n{text_table(['from', 'coverage', 'accuracy', 'rows'], rows)}"
    )


def coverage_csv(curve: Sequence[Coverage]) -> str:
    """All points of a curve, fractions."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["threshold", "answered", "coverage", "accuracy"])
    writer.writerows([p.threshold, p.answered, p.coverage, p.accuracy] for p in curve)
    return stream.getvalue()
