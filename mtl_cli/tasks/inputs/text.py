"""One text a row, or two that see each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mtl_cli.tasks.inputs.base import Asked, EncodedRow, Input, stand_in_token, text_hash
from mtl_cli.tasks.rows import Row, text_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class TextInput(Input):
    """One text, or a pair of texts of which the longer one is cut."""

    name = "text"

    def check(self, columns: Sequence[str]) -> None:
        """One or two."""
        if len(columns) not in (1, 2):
            raise ValueError(f"must name one column, or two for a pair; found {len(columns)}")

    def encode(self, asked: Asked, rows: Sequence[Row], tokenizer: PreTrainedTokenizerFast) -> list[EncodedRow]:
        """Tokens of the texts, cut to length."""
        texts = texts_of(asked, rows)
        nothing = stand_in_token(tokenizer)
        return [
            EncodedRow(one.ids or [nothing], one.type_ids or [0], bool(one.overflowing), text_hash(row))
            for one, row in zip(_encoded(texts, asked.max_length, tokenizer), zip(*texts, strict=True), strict=True)
        ]


def texts_of(asked: Asked, rows: Sequence[Row]) -> list[list[str]]:
    """The texts of each column."""
    return [[text_of(row, column, f"task '{asked.task}'") for row in rows] for column in asked.columns]


def _encoded(texts: Sequence[list[str]], max_length: int, tokenizer: PreTrainedTokenizerFast) -> list[Any]:
    """Encodings cut to length. Of a long text that stands alone only an end is tokenised, if that gives the same tokens."""
    letters = max(_LONG, _LETTERS_PER_TOKEN * max_length)
    long_texts = [i for i, text in enumerate(texts[0]) if len(text) > letters] if len(texts) == 1 else []
    ends = list(texts[0])
    for i in long_texts:
        ends[i] = _end_of(texts[0][i], letters, tokenizer.truncation_side)
    given = [ends, *texts[1:]]
    found = tokenizer(*given, truncation=True, max_length=max_length, return_attention_mask=False).encodings
    for i in long_texts:
        # Too few letters became tokens (a text of blanks, say): all of it may count.
        if sum(len(rest.ids) for rest in found[i].overflowing) < _MARGIN:
            whole = [texts[0][i]]
            found[i] = tokenizer(whole, truncation=True, max_length=max_length, return_attention_mask=False).encodings[
                0
            ]
    return list(found)


_LONG, _LETTERS_PER_TOKEN, _MARGIN = 20_000, 32, 64


def _end_of(text: str, letters: int, truncation_side: str) -> str:
    """The beginning of a text (its end, if the tokenizer cuts on the left), up to a blank; all of it if there is none."""
    if truncation_side == "left":
        blank = text.find(" ", len(text) - letters)
        return text[blank:] if blank >= 0 else text
    blank = text.rfind(" ", 0, letters)
    return text[:blank] if blank > 0 else text
