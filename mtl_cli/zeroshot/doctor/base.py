"""What a check of labels looks at and says. Legend: L labels, H phrases, S sampled texts, D width."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from mtl_cli.zeroshot.labels.label_set import Label, Phrase
from mtl_cli.zeroshot.lexicon.wordnet import Sense
from mtl_cli.zeroshot.scoring.pieces import Pieces

Severity = Literal["problem", "warning", "note"]
Encode = Callable[[Sequence[str]], np.ndarray]
"""Texts -> unit vectors, shape [N, D]."""

_NAMED = 8
"""Labels that a message names."""


@dataclass(frozen=True)
class Finding:
    """Something about labels that is worth a look."""

    severity: Severity
    """problem: answers cannot be right; warning: they will suffer; note: good to know."""
    check: str
    labels: tuple[str, ...]
    """Names; none if it is about all of them."""
    found: str
    do: str
    """What helps."""


@dataclass(frozen=True)
class Spoken:
    """A label as the engine takes it."""

    label: Label
    phrases: tuple[Phrase, ...]
    """What the engine looks at."""
    pieces: tuple[Pieces, ...] | None
    """The words of each phrase, without what stands around them, as tokens; None: the tokenizer is not at hand."""


@dataclass(frozen=True)
class Vectors:
    """Labels in an encoder's space."""

    labels_LD: np.ndarray
    """Unit vectors: the mean of each label's phrases."""
    unrelated: float
    """Mean cosine of words that have nothing to do with one another: where the encoder's scale begins."""
    encoder: str


@dataclass(frozen=True)
class Scored:
    """What the engine says of the texts, after the prior."""

    logits_SL: np.ndarray
    p_SL: np.ndarray
    weights_S: np.ndarray
    """Share of the rows that each text stands for; they sum to 1."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From where on something is worth a word."""

    similar: float
    """Cosine of two labels, on a scale on which unrelated words have 0."""
    margin: float
    """Mean difference of two labels' probabilities, as a share of their sum."""
    share: float
    """Share of the texts that one label gets."""
    tokens: int
    """Tokens of a label's phrase without its template."""
    sense: float
    """Share of the uses of a word that its main sense has."""
    shown: int
    """Pairs of labels that a check names."""


@dataclass(frozen=True)
class Meanings:
    """What a dictionary says of a label's own word."""

    senses: tuple[Sense, ...]
    """The most frequent first; none if it is not there."""
    meant: int = 0
    """Place of the one that the texts are taken to be about."""


@dataclass(frozen=True)
class Evidence:
    """All that checks may look at."""

    labels: tuple[Spoken, ...]
    limits: Limits
    sums_tokens: bool
    """Whether a label's logit is a sum over its tokens."""
    templates: tuple[str, ...]
    """Of the question."""
    vectors: Vectors | None = None
    scored: Scored | None = None
    """None: there are no texts."""
    meanings: tuple[Meanings, ...] | None = None
    """Of each label; None: there is no dictionary."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the labels."""
        return tuple(spoken.label.name for spoken in self.labels)


class Check(Protocol):
    """Looks at the labels in one way."""

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """What it has found; nothing if what it needs is not there."""
        ...


def listed(names: Sequence[str]) -> str:
    """The first few names and how many more there are."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(short(name) for name in names[:_NAMED])}{more}"


def short(text: str, most: int = 40) -> str:
    """A text in quotes, cut if it is long."""
    return f"'{text if len(text) <= most else text[: most - 1] + '…'}'"


def top_pairs(values_LL: np.ndarray, at_least: float, most: int) -> tuple[list[tuple[int, int]], int]:
    """Pairs of a symmetric matrix with the highest values, and how many reach `at_least` in all."""
    rows, columns = np.nonzero(np.triu(values_LL >= at_least, 1))
    order = np.argsort(-values_LL[rows, columns], kind="stable")[:most]
    return [(int(rows[i]), int(columns[i])) for i in order], len(rows)
