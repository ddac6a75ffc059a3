"""How a tokenizer cuts a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Pieces:
    """The tokens of a text, without special ones."""

    ids: tuple[int, ...]
    unknown: int
    """How many of them are the tokenizer's token for what it does not know."""


def cut(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[Pieces]:
    """The pieces of each text."""
    if not texts:
        return []
    found = tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False).encodings
    unknown = tokenizer.unk_token_id
    return [Pieces(tuple(e.ids), 0 if unknown is None else e.ids.count(unknown)) for e in found]
