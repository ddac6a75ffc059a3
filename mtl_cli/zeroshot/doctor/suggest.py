"""Better labels as a file that `--labels` reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_cli.zeroshot.doctor.base import Meanings
from mtl_cli.zeroshot.doctor.senses import gloss
from mtl_cli.zeroshot.doctor.wording import is_code
from mtl_cli.zeroshot.knowledge.terms import spaced
from mtl_cli.zeroshot.knowledge.wordnet import Sense
from mtl_cli.zeroshot.labels import Label

_HEAD = """\
# labels.yaml: edit what does not fit, then give it as --labels. A description is compared with the texts as it stands.
# Say in one sentence what such texts are about, and what sets them apart from the other labels.
"""
_LONG_KEY = 1000
"""Characters from which on YAML wants a key to be marked."""
_PARTS = ("text", "description", "templates", "words", "dropped")


@dataclass(frozen=True)
class Suggestion:
    """A label as it might be said."""

    name: str
    entry: Mapping[str, Any]
    """As a file of labels holds it; empty: the label stays as it is."""
    why: str | None
    """Where a description comes from; None: there is none to suggest, or the user's own stands."""
    lacking: bool
    """Whether a description is left for the user to write."""


def suggestions(
    labels: Sequence[Label], given: Mapping[str, Any], found: Sequence[Meanings] | None
) -> list[Suggestion]:
    """One for each label. What the user said of a label is kept.

    Args:
        labels: as they are.
        given: what was said of each, as `make_labels` takes it.
        found: meanings of each; None: there is no dictionary.
    """
    known = found or [Meanings(())] * len(labels)
    senses = [one.senses[one.meant] if one.senses else None for one in known]
    times = Counter(gloss(sense) for sense in senses if sense)
    reasons = ["nearest to the texts" if one.meant else "the most frequent" for one in known]
    return [
        # What two labels would share sets neither apart.
        _suggested(label, given.get(label.name), sense if sense and times[gloss(sense)] == 1 else None, reason)
        for label, sense, reason in zip(labels, senses, reasons, strict=True)
    ]


def _suggested(label: Label, given: Any, sense: Sense | None, reason: str) -> Suggestion:
    entry = {part: given[part] for part in _PARTS if given.get(part) is not None} if isinstance(given, Mapping) else {}
    if given is not None and not isinstance(given, Mapping):
        entry = {"text": str(given)}
    if label.description is not None:
        return Suggestion(label.name, entry, None, False)
    own = label.words[0].text
    if sense is not None:
        why = f"WordNet: {sense.name}, {reason}"
        return Suggestion(label.name, {**entry, "description": gloss(sense)}, why, False)
    if spaced(own) != own.lower() and not is_code(own):
        entry = {**entry, "text": spaced(own)}
    return Suggestion(label.name, entry, None, True)


def as_yaml(suggested: Sequence[Suggestion]) -> str:
    """The file. A label without a description gets a line to fill in."""
    return _HEAD + "".join(_block(one) for one in suggested)


def _block(one: Suggestion) -> str:
    # JSON texts are YAML texts, whatever they hold.
    name = json.dumps(one.name, ensure_ascii=False)
    lines = [f"{name}:" if len(name) < _LONG_KEY else f"? {name}\n:"]
    for part, value in one.entry.items():
        source = f"  # {one.why}" if part == "description" and one.why else ""
        lines.append(f"  {part}: {json.dumps(value, ensure_ascii=False)}{source}")
    if one.lacking:
        lines.append('  # description: "a text about ..., not about ..."')
    return "\n".join(lines) + "\n"
