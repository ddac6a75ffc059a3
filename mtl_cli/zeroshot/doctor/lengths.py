"""What a tokenizer makes of the labels. Legend: L labels."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

import numpy as np

from mtl_cli.zeroshot.doctor.base import Evidence, Finding, Spoken, listed
from mtl_cli.zeroshot.scoring.pieces import Pieces

_Bad = Callable[[Pieces, str], bool]
"""Of the tokens of words and the words themselves."""
_LONG_WORD = 4
"""Letters from which on a word of one token a letter was not known."""


def no_tokens(evidence: Evidence) -> Iterator[Finding]:
    """Labels of which the tokenizer leaves nothing, or keeps something that it does not know."""
    empty = _names(evidence, lambda pieces, _: not pieces.ids)
    if empty:
        found = f"{listed(empty)}: nothing is left for the model's tokenizer"
        yield Finding("problem", "tokens", empty, found, "give words for them: LABEL=words")
    unknown = _names(evidence, lambda pieces, _: pieces.unknown > 0)
    if unknown:
        found = f"{listed(unknown)}: the model has no token for some of it, and reads every such thing as the same"
        do = "give words that it knows, or take a model of that language or script"
        yield Finding("problem", "tokens", unknown, found, do)
    split = tuple(name for name in _names(evidence, _unread) if name not in {*empty, *unknown})
    if split:
        found = f"{listed(split)}: the model reads single letters or bytes instead of words"
        do = "take a model of that language or script, or words that it knows"
        yield Finding("warning", "tokens", split, found, do)


def many_tokens(evidence: Evidence) -> Iterator[Finding]:
    """Labels that are very long."""
    most = evidence.limits.tokens
    long = _names(evidence, lambda pieces, _: len(pieces.ids) > most)
    if long:
        found = f"{listed(long)}: more than {most} tokens, of which each counts less"
        yield Finding("warning", "tokens", long, found, "one sentence that says what the texts are about is enough")


def uneven_tokens(evidence: Evidence) -> Iterator[Finding]:
    """Labels of different lengths, where the engine sums over tokens."""
    if not evidence.sums_tokens or any(spoken.pieces is None for spoken in evidence.labels):
        return
    tokens_L = np.array([np.mean([len(p.ids) for p in spoken.pieces or ()]) for spoken in evidence.labels])
    short, long = int(tokens_L.argmin()), int(tokens_L.argmax())
    if tokens_L[long] > 1.5 * tokens_L[short] and tokens_L[long] - tokens_L[short] >= 1:
        names = (evidence.names[short], evidence.names[long])
        found = (
            f"labels have {tokens_L[short]:.3g} ({listed(names[:1])}) to {tokens_L[long]:.3g} ({listed(names[1:])}) tokens, and this "
            "engine sums over them: long labels score lower whatever they mean"
        )
        yield Finding(
            "warning", "tokens", names, found, "words of like length, the mean (method.rule=mean), or prior=sample"
        )


def _names(evidence: Evidence, bad: _Bad) -> tuple[str, ...]:
    """Labels with a phrase that is bad; one whose tokens are not at hand is none."""
    return tuple(
        spoken.label.name for spoken in evidence.labels
        if any(bad(pieces, text) for pieces, text in zip(spoken.pieces or (), _texts(spoken), strict=False))
    )  # fmt: skip


def _texts(spoken: Spoken) -> tuple[str, ...]:
    return tuple(phrase.words for phrase in spoken.phrases)


def _unread(pieces: Pieces, text: str) -> bool:
    """More tokens than characters, or a token a letter. Scripts whose characters are words are tokens of one character by right."""
    chars = [char for char in text if not char.isspace()]
    if len(pieces.ids) > len(chars) + 1:  # one may stand for the beginning of a word
        return True
    letters = [char for char in chars if unicodedata.category(char) in ("Lu", "Ll", "Lm", "Lt")]
    return len(letters) >= _LONG_WORD and len(letters) == len(chars) and len(pieces.ids) >= len(chars)
