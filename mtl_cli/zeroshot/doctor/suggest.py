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
from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.lexicon.terms import spaced

_HEAD = """\
# For --labels. Take the # off a description that you have made fit; it is compared with the texts as it stands.
# Say in one sentence what such texts are about, and what sets them apart from the other labels.
"""
_SKELETON = "a text about ..., not about ..."
_LONG_KEY = 1000
"""Characters from which on YAML wants a key to be marked."""
_PARTS = ("text", "description", "templates", "words", "dropped")


@dataclass(frozen=True)
class Suggestion:
    """A label as it might be said."""

    name: str
    entry: Mapping[str, Any]
    """As a file of labels holds it; empty: the label stays as it is."""
    source: str | None = None
    """Where the description comes from, if it is not the user's own."""
    hint: str | None = None
    """A description to edit and take, for a label without one."""


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
    times = Counter(gloss(one.senses[one.meant]) for one in known if one.senses)
    # What two labels would share sets neither apart.
    apart = [one if one.senses and times[gloss(one.senses[one.meant])] == 1 else Meanings(()) for one in known]
    return [_suggested(label, given.get(label.name), one) for label, one in zip(labels, apart, strict=True)]


def _suggested(label: Label, given: Any, found: Meanings) -> Suggestion:
    entry = {part: given[part] for part in _PARTS if given.get(part) is not None} if isinstance(given, Mapping) else {}
    if given is not None and not isinstance(given, Mapping):
        entry = {"text": str(given)}
    if label.description is not None:
        return Suggestion(label.name, entry)
    own = label.words[0].text
    if spaced(own) != own.lower() and not is_code(own):
        entry = {**entry, "text": spaced(own)}
    if not found.senses:
        return Suggestion(label.name, entry, hint=_SKELETON)
    sense = found.senses[found.meant]
    if found.meant:
        source = f"WordNet: {sense.name}, nearest to the texts"
        return Suggestion(label.name, {**entry, "description": gloss(sense)}, source)
    # A dictionary's words are not those of the texts: unedited they rather do harm where the word is meant as usual.
    return Suggestion(label.name, entry, f"WordNet: {sense.name}", gloss(sense))


def as_yaml(suggested: Sequence[Suggestion]) -> str:
    """The file. A label without a description gets a line to fill in."""
    return _HEAD + "".join(_block(one) for one in suggested)


def _block(one: Suggestion) -> str:
    # JSON texts are YAML texts, whatever they hold.
    name = json.dumps(one.name, ensure_ascii=False)
    lines = [f"{name}:" if len(name) < _LONG_KEY else f"? {name}\n:"]
    source = f"  # {one.source}" if one.source else ""
    for part, value in one.entry.items():
        behind = source if part == "description" else ""
        lines.append(f"  {part}: {json.dumps(value, ensure_ascii=False)}{behind}")
    if one.hint is not None:
        lines.append(f"  # description: {json.dumps(one.hint, ensure_ascii=False)}{source}")
    return "\n".join(lines) + "\n"
