"""What is said of labels, and what answers with other words would be."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mtl_cli.report.table import text_table

_WIDTH = 110
_MOVED = 12
"""Labels whose shares are shown."""


class Found(Protocol):
    """A finding; see `zeroshot.doctor.base`."""

    @property
    def severity(self) -> str:
        """How bad it is."""
        ...

    @property
    def found(self) -> str:
        """What it is."""
        ...

    @property
    def do(self) -> str:
        """What helps."""
        ...


@dataclass(frozen=True)
class Share:
    """How many texts a label is the best one of."""

    label: str
    now: float
    """Share of the rows, from 0 to 1."""
    then: float
    """The same with the labels as suggested."""


def findings_text(findings: Sequence[Found], left_out: Sequence[str]) -> str:
    """A paragraph for each finding, what was not looked at, and how many of each kind there are."""
    blocks = [_wrapped(f"{one.severity:<9}", f"{one.found}. To do: {one.do}.") for one in findings]
    blocks += [_wrapped("not seen ", f"{reason}.") for reason in left_out]
    counts = Counter(one.severity for one in findings)
    told = [f"{n:,} {severity}{'s' if n > 1 else ''}" for severity, n in counts.items()]
    return "\n".join([*blocks, ", ".join(told) if told else "nothing was found against these labels"])


def _wrapped(head: str, text: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False, break_on_hyphens=False
    )  # fmt: skip


def shares_text(shares: Sequence[Share], texts: int) -> str:
    """The labels whose shares move most, in label order."""
    moving = sorted(shares, key=lambda one: -abs(one.then - one.now))[:_MOVED]
    rows = [[one.label, f"{100 * one.now:.1f}", f"{100 * one.then:.1f}"] for one in shares if one in moving]
    more = f" (the {_MOVED} of {len(shares):,} labels that move most)" if len(shares) > _MOVED else ""
    table = text_table(["label", "now %", "suggested %"], rows)
    return f"best label of how many of {texts:,} sampled texts{more}\n{table}"
