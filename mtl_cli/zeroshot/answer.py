"""What is said of one text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtl_cli.zeroshot.choice import Decided

DIGITS = 6
"""Digits of a probability behind the point: what is written, and what is counted."""


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
        return found

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Answer:
        """The answer of a line. Raises `KeyError`, `TypeError` or `AttributeError` if it is none."""
        several = "labels" in record
        decided = Decided(None, tuple(record["labels"])) if several else Decided(record["label"])
        gold = record.get("gold")
        names = None if gold is None else tuple(gold) if several else (gold,)
        return cls(record["text"], decided, dict(record["scores"]), names, bool(record.get("held")))
