"""Labels and the words that were found for them, as the entries that `--labels FILE.yaml` reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.verbalizers.base import Expansion

_HEAD = """\
# The labels as they were asked. Edit this file, and ask again with:  --labels {name}
# text: what a label is called; words: what else, with the weight of each beside it, which weighs 1; dropped: passed over.
# A word counts again if it is moved from `dropped` to `words` with a weight.
"""
_LONGEST_KEY = 100
"""Characters of a key that stands on one line with its value: YAML allows 1,024 as it is written."""


def entry(label: Label, expansion: Expansion) -> dict[str, Any]:
    """A label with its words as a mapping that `make_labels` makes the same label of, with them."""
    words: dict[str, float] = {}
    for text, weight in [*((w.text, w.weight) for w in label.words[1:]), *((w.text, w.weight) for w in expansion.kept)]:
        # A word that stands twice counts twice.
        words[text] = words.get(text, 0.0) + weight
    description = label.description if label.description is not None else expansion.description
    found: dict[str, Any] = {}
    if label.called or words:
        found["text"] = label.words[0].text
    if description is not None:
        found["description"] = description
    if label.own_templates:
        found["templates"] = list(label.templates)
    if words:
        found["words"] = words
    if expansion.dropped:
        found["dropped"] = {word.text: word.reason for word in expansion.dropped}
    return found


def words_yaml(labels: Sequence[Label], expansions: Sequence[Expansion], name: str) -> str:
    """The entries of labels as YAML; reasons stand in it as comments.

    Args:
        labels: before words were found.
        expansions: one a label.
        name: of the file, for the comment at its top.
    """
    lines = [_HEAD.format(name=_comment(name))]
    for label, expansion in zip(labels, expansions, strict=True):
        lines += _entry_lines(label, expansion)
    return "\n".join([*lines, ""])


def _entry_lines(label: Label, expansion: Expansion) -> Iterator[str]:
    found = entry(label, expansion)
    yield f"{_key(label.name)}{'' if found else ' {}'}" + (f"  # {_comment(expansion.told)}" if expansion.told else "")
    reasons = {word.text: word.reason for word in expansion.kept}
    for part, value in found.items():
        if isinstance(value, Mapping):
            yield f"  {part}:"
            yield from _pairs(value, reasons if part == "words" else {})
        elif isinstance(value, list):
            yield f"  {part}: [{', '.join(_quoted(item) for item in value)}]"
        else:
            yield f"  {part}: {_scalar(value)}"


def _pairs(values: Mapping[str, Any], reasons: Mapping[str, str]) -> Iterator[str]:
    for word, value in values.items():
        yield f"    {_key(word, '    ')} {_scalar(value)}" + (
            f"  # {_comment(reasons[word])}" if word in reasons else ""
        )


def _key(text: str, indent: str = "") -> str:
    """A key and its colon."""
    shown = _scalar(text)
    return f"{shown}:" if len(shown) <= _LONGEST_KEY else f"? {shown}\n{indent}:"


def _scalar(value: object) -> str:
    """A value on one line."""
    shown = yaml.safe_dump(value, allow_unicode=True, width=float("inf")).removesuffix("\n").removesuffix("\n...")
    return _quoted(str(value)) if len(shown.splitlines()) > 1 else shown


def _quoted(text: str) -> str:
    return yaml.safe_dump(text, allow_unicode=True, default_style='"', width=float("inf")).removesuffix("\n")


def _comment(text: str) -> str:
    """What YAML lets stand in a comment, on one line."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
