"""A text and a hypothesis: the text sees itself alone, the hypothesis both, so one pass can hold a text once and many hypotheses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from mtl_cli.errors import DataError
from mtl_cli.tasks.columns import ColumnSpec
from mtl_cli.tasks.inputs.base import Asked, EncodedRow, Input, stand_in_token, text_hash
from mtl_cli.tasks.inputs.text import texts_of
from mtl_cli.tasks.rows import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SECONDS = "seconds"
"""Where the hypothesis begins in its row, behind the special tokens between the texts."""


class PackedInput(Input):
    """A pair of which only the text is cut, never the hypothesis, since a hypothesis must be the same beside any text."""

    name = "packed"
    arrays: ClassVar[Mapping[str, ColumnSpec]] = {SECONDS: ColumnSpec("int32")}
    packs = True

    def check(self, columns: Sequence[str]) -> None:
        """Two."""
        if len(columns) != 2:
            raise ValueError(
                f"must name two columns, the text and the hypothesis, for input: packed; found {len(columns)}"
            )

    def encode(self, asked: Asked, rows: Sequence[Row], tokenizer: PreTrainedTokenizerFast) -> list[EncodedRow]:
        """Tokens of the pairs. Raises `DataError` too if a hypothesis leaves no room for a token of its text."""
        texts = texts_of(asked, rows)
        found = tokenizer(*texts, truncation=False, return_attention_mask=False, verbose=False).encodings
        behind = _behind_a_pair(tokenizer)
        cut = [_packed_row(asked, row, one, behind, tokenizer) for row, one in zip(rows, found, strict=True)]
        nothing = stand_in_token(tokenizer)
        return [
            replace(row, ids=row.ids or [nothing], types=row.types or [0], text_hash=text_hash(pair))
            for row, pair in zip(cut, zip(*texts, strict=True), strict=True)
        ]


def _packed_row(asked: Asked, row: Row, one: Any, behind: int, tokenizer: PreTrainedTokenizerFast) -> EncodedRow:
    sides = one.sequence_ids
    second = sides.index(1) if 1 in sides else len(sides) - behind
    begin = sides.index(0) if 0 in sides else second
    count = sides.count(0)
    excess = max(0, len(sides) - asked.max_length)
    if excess and excess >= count:
        room = asked.max_length - (len(sides) - count - sides.count(1)) - 1
        raise DataError(
            f"{row.where}: column '{asked.columns[1]}': the hypothesis has {sides.count(1)} tokens, and beside a token of the "
            f"text there is room for {max(0, room)}. In a packed pair only the text is cut: raise data.max_length",
            asked.task,
        )
    gone = begin if tokenizer.truncation_side == "left" else begin + count - excess
    ids, types = (piece[:gone] + piece[gone + excess :] for piece in (one.ids, one.type_ids))
    return EncodedRow(ids, types, excess > 0, arrays={SECONDS: second - excess})


def _behind_a_pair(tokenizer: PreTrainedTokenizerFast) -> int:
    """Special tokens behind the second text: all that is left of a hypothesis without tokens."""
    sides = tokenizer("one", "two", verbose=False).sequence_ids(0)
    return sides[::-1].index(1)
