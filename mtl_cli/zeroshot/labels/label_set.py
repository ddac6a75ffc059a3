"""What the user says of the labels: names, and the texts that stand for them."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.tasks.files import expanded
from mtl_cli.tasks.kinds.column import is_missing, plain, spelled
from mtl_cli.zeroshot.labels.files import check_names, names_a_file, read_labels

SHORT = {
    "pos": "positive", "neg": "negative", "neu": "neutral", "ent": "entailment", "con": "contradiction", "contra": "contradiction",
    "sci": "science", "tech": "technology", "biz": "business", "pol": "politics", "edu": "education", "env": "environment",
    "fin": "finance", "med": "medicine", "sport": "sports", "ham": "ordinary message", "sub": "subjective", "obj": "objective",
}  # fmt: skip
"""Common short labels and the words they stand for."""
_PARTS = {"text", "description", "templates", "words", "dropped"}
_TOLD = "text, description, templates, words (more of them) and dropped (which is passed over)"


@dataclass(frozen=True)
class Word:
    """What a label is called."""

    text: str
    weight: float = 1.0
    """How much it counts beside the label's other words; above 0."""


@dataclass(frozen=True)
class Phrase:
    """A sentence about a label, or a part of one: its words with what stands around them."""

    before: str
    words: str
    after: str
    weight: float = 1.0
    """Of the words."""
    template: int = 0
    """Which of the label's templates it is; -1: a description, which takes none."""

    @property
    def text(self) -> str:
        """The whole."""
        return f"{self.before}{self.words}{self.after}"


@dataclass(frozen=True)
class Label:
    """One label."""

    name: str
    """As it stands in output and gold columns."""
    words: tuple[Word, ...]
    """What it is called, its own word first."""
    templates: tuple[str, ...]
    """Each has one `{}`, where a word is put."""
    description: str | None = None
    """What it means, in a sentence."""
    called: bool = True
    """Whether its words count beside a description."""
    own_templates: bool = False
    """The user gave templates for this label."""

    @property
    def spoken(self) -> tuple[Phrase, ...]:
        """Every word in every template: for engines that ask how likely a label is said."""
        cut = [template.partition("{}") for template in self.templates]
        return tuple(
            Phrase(before, word.text, after, word.weight, i)
            for i, (before, _, after) in enumerate(cut) for word in self.words
        )  # fmt: skip

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """Everything that stands for it: for engines that compare meanings."""
        if self.description is None:
            return self.spoken
        return (Phrase("", self.description, "", template=-1), *(self.spoken if self.called else ()))

    @property
    def texts(self) -> tuple[str, ...]:
        """The phrases as texts."""
        return tuple(phrase.text for phrase in self.phrases)

    def under(self, templates: Sequence[str]) -> Label:
        """The same label in other templates, unless it has its own."""
        return self if self.own_templates else dataclasses.replace(self, templates=tuple(templates))


def parse_labels(text: str) -> dict[str, Any]:
    """`pos,neg`, `pos=positive,neg=negative`, or a file (YAML, or a label a line) -> name -> text (None: the name itself) or mapping.

    A label with a comma is put in double quotes.

    Raises:
        ConfigError: a label is empty or stands twice, or the quotes are not as they must be.
        DataError: the file is not as it must be.
    """
    if text.strip() and "," not in text and names_a_file(text):
        return read_labels(expanded(text))
    if text.startswith("[") and text.endswith("]"):
        raise ConfigError(f"--labels takes labels without brackets: --labels '{text[1:-1]}'")
    parts = split_entries(text, "--labels")
    pairs = [part.partition("=") for part in parts]
    names = [name.strip() for name, _, _ in pairs]
    check_names(names)
    return {
        name: (words.strip() or None) if equals else None for name, (_, equals, words) in zip(names, pairs, strict=True)
    }


def split_entries(text: str, of: str) -> list[str]:
    """Entries between commas; one with a comma inside is put in double quotes as a whole. Raises `ConfigError` for other quotes."""
    try:
        parts = [part.strip() for part in next(csv.reader([text], skipinitialspace=True), [])]
    except csv.Error as error:
        raise ConfigError(f"{of}: labels stand on one line, with commas between them: pos,neg") from error
    cut = [part for part in parts if part.count('"') % 2]
    if cut:
        raise ConfigError(
            f'{of}: the quotes of {cut[0]} do not close; quote the whole entry: "pos=very, very good",neg'
        )
    return parts


def make_labels(
    given: Mapping[str, Any] | Sequence[str] | None, templates: Sequence[str], least: int = 2
) -> tuple[list[Label], list[str]]:
    """The labels with their texts.

    Args:
        given: name -> text, None (the name itself), or a mapping with `description`, `text`, `templates` or `words`; or a list of names.
        templates: each has one `{}`, where a label's text is put.
        least: labels that there must be; one alone is a question by itself where a text may have several.

    Returns:
        The labels, and a sentence for each short label that was read as its word.

    Raises:
        ConfigError: too few labels, a template without `{}`, an unknown entry.
    """
    if isinstance(given, Sequence):
        check_names([str(name) for name in given])
        given = dict.fromkeys(map(str, given))
    if not given or len(given) < least:
        number, hint = (
            ("one label", "") if least == 1 else ("two labels", ", or ask for one alone with decide.multi_label=true")
        )
        raise ConfigError(
            f"--labels: there must be at least {number}; found {len(given or {})}. Write --labels pos,neg{hint}"
        )
    said: list[str] = []
    faults = _template_faults("templates", templates or [""])
    labels = [_label(name, entry, templates, said, faults) for name, entry in given.items()]
    if faults:
        raise ConfigError(faults)
    return labels, said


def empty_faults(labels: Sequence[Label]) -> list[Fault]:
    """A fault for each label whose text or description is empty: an encoder would give it a meaning all the same."""
    problem = "its text is empty: leave it out, and the name stands for it"
    said = {one.name: (one.words[0].text, *([] if one.description is None else [one.description])) for one in labels}
    return [Fault(f"labels.{name}", problem) for name, texts in said.items() if not all(text.strip() for text in texts)]


def cell_labels(value: object, known: Sequence[str] = ()) -> tuple[str, ...] | None:
    """The labels in one cell of a column: a list, a JSON list as text, or names with `|` between them; None for an empty cell.

    Args:
        value: of the cell.
        known: label names; a text that is one of them stands for itself, also with a `|` in it.

    Raises:
        ValueError: it holds something else, an empty name, or a name twice.
    """
    value = plain(value)
    if is_missing(value):
        return None
    if isinstance(value, str) and value in known:
        return (value,)
    if isinstance(value, str) and value.lstrip().startswith("["):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, str | int | float):
        value = spelled(value).split("|")
    if not isinstance(value, list) or not all(isinstance(name, str | int | float) for name in value):
        raise ValueError(f"must hold a list of labels, or a|b; found {value!r:.80}")
    names = tuple(spelled(plain(name)).strip() for name in value)
    if "" in names:
        raise ValueError("holds an empty label")
    if len(set(names)) < len(names):
        raise ValueError(f"holds {next(n for n in names if names.count(n) > 1)!r} more than once")
    return names


def _template_faults(key: str, templates: Sequence[str]) -> list[Fault]:
    none = [Fault(key, f"'{t}' has no place for the label: write {{}} there") for t in templates if "{}" not in t]
    return none + [
        Fault(key, f"'{t}' has {t.count('{}')} places for the label: leave one {{}}")
        for t in templates
        if t.count("{}") > 1
    ]


def _label(name: str, entry: Any, templates: Sequence[str], said: list[str], faults: list[Fault]) -> Label:
    own = {k: v for k, v in (entry.items() if isinstance(entry, Mapping) else [("text", entry)]) if v is not None}
    unknown = own.keys() - _PARTS
    if unknown:
        faults.append(Fault(f"labels.{name}", f"has {_TOLD}; found {', '.join(sorted(map(str, unknown)))}"))
    if any(isinstance(own.get(part), list | Mapping) for part in ("text", "description")):
        faults.append(Fault(f"labels.{name}", f"must be a text, or a mapping with {_TOLD}"))
    word = own.get("text")
    if word is None and "description" not in own and name.lower() in SHORT:
        word = SHORT[name.lower()]
        said.append(f"label '{name}' is read as '{word}'; write {name}=... for another text")
    listed = own.get("templates") or []
    own_templates = [str(t) for t in (listed if isinstance(listed, list) else [listed])]
    faults += _template_faults(f"labels.{name}.templates", own_templates)
    more = _more_words(f"labels.{name}.words", own.get("words"), faults)
    return Label(
        name,
        (Word(str(name if word is None else word)), *more),
        tuple(own_templates or templates),
        str(own["description"]) if "description" in own else None,
        called="description" not in own or word is not None or "templates" in own or bool(more),
        own_templates=bool(own_templates),
    )


def _more_words(key: str, given: Any, faults: list[Fault]) -> list[Word]:
    """Words beside the first: a list, or word -> weight."""
    if given is None:
        return []
    if not isinstance(given, list | Mapping):
        faults.append(Fault(key, f"must be a list of words, or a mapping of word to weight; found {given!r}"))
        return []
    pairs = given.items() if isinstance(given, Mapping) else [(word, 1.0) for word in given]
    found = []
    for word, weight in pairs:
        number = not isinstance(weight, bool) and isinstance(weight, int | float)
        if not number or not 0 < weight < math.inf or isinstance(word, list | Mapping) or not str(word).strip():
            faults.append(Fault(key, f"must hold words with weights above 0; found {word!r}: {weight!r}"))
        else:
            found.append(Word(str(word), float(weight)))
    return found
