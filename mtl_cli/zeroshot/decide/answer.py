"""What is said of one text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtl_cli.zeroshot.decide.choice import Decided

DIGITS = 6
"""Digits of a probability behind the point: what is written, and what is counted."""


@dataclass(frozen=True)
class Because:
    """What spoke most for a label."""

    label: str
    what: str
    """A phrase, or the member of an ensemble."""
    score: float
    """What it said, in the engine's own units, before any prior or temperature."""

    def record(self) -> dict[str, Any]:
        """As a line of JSON has it."""
        return {"label": self.label, "what": self.what, "score": self.score}


@dataclass(frozen=True)
class Answer:
    """What is said of one text."""

    text: str
    decided: Decided
    scores: Mapping[str, float]
    """Probability of each label, in label order, to six digits."""
    gold: tuple[str, ...] | None
    """The row's own labels; None if it has none."""
    held: bool = False
    """The row's gold label was used to find the temperature or the threshold, so it is in no score."""
    because: Because | None = None
    """What spoke most for the top label; None: it was not asked for."""

    @property
    def top(self) -> str:
        """The most probable label, also where it was not probable enough to be the answer."""
        return self.decided.label or max(self.scores, key=lambda name: self.scores[name])

    def record(self) -> dict[str, Any]:
        """As a line of JSON has it."""
        several = self.decided.labels is not None
        found: dict[str, Any] = {"text": self.text}
        found |= {"labels": list(self.decided.labels or ())} if several else {"label": self.decided.label}
        found["scores"] = dict(self.scores)
        if self.gold is not None:
            found["gold"] = list(self.gold) if several else self.gold[0]
        if self.held:
            found["held"] = True
        if self.because is not None:
            found["because"] = self.because.record()
        return found

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Answer:
        """The answer of a line. Raises `KeyError`, `TypeError` or `AttributeError` if it is none."""
        several = "labels" in record
        decided = Decided(None, tuple(record["labels"])) if several else Decided(record["label"])
        gold = record.get("gold")
        names = None if gold is None else tuple(gold) if several else (gold,)
        because = Because(**record["because"]) if "because" in record else None
        return cls(record["text"], decided, dict(record["scores"]), names, bool(record.get("held")), because)
