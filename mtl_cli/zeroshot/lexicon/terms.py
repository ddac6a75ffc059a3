"""Names of labels as words that a dictionary may hold."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN = re.compile(r"\s+(?:and|or|&)\s+|\s*[/,;&]\s*")


@dataclass(frozen=True)
class Compound:
    """A phrase as a last word and what stands before it."""

    before: str
    """Empty, or ends in a space."""
    head: str
    """The word that says what it is."""
    after: str
    """Empty, or begins with a space."""

    def instead(self, word: str) -> str:
        """The phrase with another head."""
        return f"{self.before}{word}{self.after}"


def spaced(text: str) -> str:
    """`cardArrival`, `card_arrival` and `Card  arrival` as `card arrival`."""
    return " ".join(_HUMP.sub(" ", text).replace("_", " ").split()).lower()


def parts(text: str) -> tuple[str, ...]:
    """What stands between `and`, `or`, `/` and commas of a spaced text."""
    return tuple(part.strip() for part in _BETWEEN.split(text) if part.strip())


def compound(text: str) -> Compound | None:
    """Head of a spaced phrase of several words: the last one, or the last before `of`, `for`, `to`, `in`, `with` and the like."""
    words = text.split()
    end = next((i for i, word in enumerate(words) if i and word in _LINKS), len(words))
    if len(words) < 2:
        return None
    before, after = words[: end - 1], words[end:]
    return Compound("".join(f"{word} " for word in before), words[end - 1], "".join(f" {word}" for word in after))


_LINKS = {"of", "for", "to", "in", "on", "with", "by", "from", "after", "about", "at", "not"}
