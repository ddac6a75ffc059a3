"""Names that do not say what they mean. Legend: L labels."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from mtl_cli.zeroshot.doctor.base import Evidence, Finding, Spoken, listed, short
from mtl_cli.zeroshot.lexicon.terms import spaced

_CODE = re.compile(
    r"(?:(?:label|class|cat|category|cluster|topic|id|type)[\s_#-]*)?\d+|[a-z]|[a-z]{1,3}[\s_-]?\d+[a-z]?",
    re.IGNORECASE,
)
_JOINED = re.compile(r"[^\W_]_+[^\W_]|[a-z][A-Z]")
_NOT = re.compile(r"^(?:(?:not an?|not|no|none of|without|anything but)[\s_-]+|non[\s_-]*|un(?=[a-z]{4}))(.+)")


def is_code(text: str) -> bool:
    """Whether a name says nothing: LABEL_0, class 3, 17, B, A12."""
    return _CODE.fullmatch(text.strip()) is not None


def opaque(evidence: Evidence) -> Iterator[Finding]:
    """Codes, of which no model knows what they stand for."""
    codes = tuple(spoken.label.name for spoken in evidence.labels if all(map(is_code, _words(spoken))))
    if codes:
        found = f"{listed(codes)} {'is a code' if len(codes) == 1 else 'are codes'}; no model knows what for"
        yield Finding("problem", "names", codes, found, f'say what they mean: "{codes[0]}=words", or a description')


def joined(evidence: Evidence) -> Iterator[Finding]:
    """Words that are put together with `_` or as humps."""
    names = tuple(
        spoken.label.name for spoken in evidence.labels
        if any(_JOINED.search(word) and not is_code(word) for word in _words(spoken))
    )  # fmt: skip
    if names:
        found = f"{listed(names)}: words that are joined by _ or capitals are read worse than words with spaces"
        yield Finding("warning", "names", names, found, f'for example "{names[0]}={spaced(names[0])}"')


def negations(evidence: Evidence) -> Iterator[Finding]:
    """A label beside its own negation: models that compare meanings hardly see a `not`."""
    by_word: dict[str, set[str]] = defaultdict(set)
    for spoken in evidence.labels:
        for word in (spoken.label.name, *_words(spoken)):
            by_word[spaced(word)].add(spoken.label.name)
    for spoken in evidence.labels:
        denied = [match[1] for word in _words(spoken) if (match := _NOT.match(spaced(word)))]
        of = tuple(sorted({name for word in denied for name in by_word.get(word, ())}))
        if of:
            name = spoken.label.name
            found = f"{short(name)} is {listed(of)} with a negation, which models that compare meanings hardly see"
            yield Finding(
                "warning", "names", (name, *of), found, f'say what it is instead: "{name}=what such texts are"'
            )


def templates(evidence: Evidence) -> Iterator[Finding]:
    """Labels that do not fit into their templates: sentences inside sentences, and words that come twice."""
    own = [
        (spoken.label.name, phrase) for spoken in evidence.labels for phrase in spoken.phrases if phrase.template >= 0
    ]
    inside = [(name, phrase) for name, phrase in own if phrase.before.strip() or phrase.after.strip(" .!?")]
    sentences = dict.fromkeys(n for n, p in inside if p.words.strip()[-1:] in (*".!?",) or len(p.words.split()) > 8)
    if sentences:
        found = f"{listed(tuple(sentences))}: a sentence stands inside the template {short(evidence.templates[0])}"
        yield Finding(
            "warning", "templates", tuple(sentences), found, "give sentences as description, which takes no template"
        )
    doubled = dict.fromkeys(n for n, p in inside if _repeats(p.before, p.words))
    if doubled:
        found = f"{listed(tuple(doubled))}: the template says its first word already: {short(evidence.templates[0])}"
        yield Finding(
            "note", "templates", tuple(doubled), found, "leave the word out of the template, or out of the labels"
        )


def _repeats(before: str, words: str) -> bool:
    last, first = before.casefold().split()[-1:], words.casefold().split()[:1]
    return bool(last) and last == first


def _words(spoken: Spoken) -> tuple[str, ...]:
    """What the engine reads of a label besides templates."""
    return tuple(dict.fromkeys(phrase.words for phrase in spoken.phrases))
