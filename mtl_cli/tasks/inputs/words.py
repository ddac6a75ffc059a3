"""One text as words, for labels that words have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from mtl_cli.errors import DataError
from mtl_cli.tasks.columns import ColumnSpec
from mtl_cli.tasks.inputs.base import Asked, EncodedRow, Input, stand_in_token, text_hash
from mtl_cli.tasks.rows import Row, text_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WORDS = "words"
"""Place of the first token of each word in its row; -1 of a word that was cut off, or of which the tokenizer leaves nothing."""


class WordsInput(Input):
    """Words of a text: the items of a list, or what stands between the white space of a text.

    Words keep their borders: a tokenizer splits each, and never joins two.
    """

    name = "words"
    arrays: ClassVar[Mapping[str, ColumnSpec]] = {WORDS: ColumnSpec("int32", ragged=True)}

    def check(self, columns: Sequence[str]) -> None:
        """One."""
        if len(columns) != 1:
            raise ValueError(f"must name one column for input: words; found {len(columns)}")

    def encode(self, asked: Asked, rows: Sequence[Row], tokenizer: PreTrainedTokenizerFast) -> list[EncodedRow]:
        """Tokens of the words, cut to length."""
        words = [_words(row, asked) for row in rows]
        # Of an empty list a tokenizer cannot tell that it holds words.
        given = [one or [""] for one in words]
        found = tokenizer(
            given, is_split_into_words=True, truncation=True, max_length=asked.max_length, return_attention_mask=False
        ).encodings
        nothing = stand_in_token(tokenizer)
        return [
            EncodedRow(
                one.ids or [nothing], one.type_ids or [0], bool(one.overflowing), text_hash([" ".join(own)]),
                {WORDS: _first_tokens(one.word_ids, len(own))},
            )
            for one, own in zip(found, words, strict=True)
        ]  # fmt: skip


def _words(row: Row, asked: Asked) -> list[str]:
    (column,) = asked.columns
    value = row.column(column, f"task '{asked.task}'")
    if not isinstance(value, list):
        return text_of(row, column, f"task '{asked.task}'").split()
    for i, word in enumerate(value):
        if not isinstance(word, str):
            problem = f"item {i} of column '{column}' is {word!r:.60}, and a word is a text"
            raise DataError(f"{row.where}: {problem}", asked.task)
    return value


def _first_tokens(word_ids: Sequence[int | None], words: int) -> list[int]:
    """Place of the first token of each word; -1 where there is none."""
    first = [-1] * words
    for place, word in enumerate(word_ids):
        if word is not None and word < words and first[word] < 0:
            first[word] = place
    return first
