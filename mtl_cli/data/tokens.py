"""Texts of a task's rows -> token ids, cut to length."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mtl_cli.errors import DataError
from mtl_cli.tasks.files import Row, text_of
from mtl_cli.tasks.kinds.column import clean
from mtl_cli.tasks.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class TokenRow:
    """One row as the model gets it."""

    ids: Sequence[int]
    types: Sequence[int]
    cut: bool
    """Whether tokens were lost."""
    second: int
    """Of a packed pair: where the hypothesis begins, behind the special tokens between the texts; 0 of any other row."""
    text_hash: int = 0
    """Of the texts as they are compared, in 64 bits; 0 where one of them is empty."""


def tokenised(task: Task, rows: Sequence[Row], tokenizer: PreTrainedTokenizerFast) -> list[TokenRow]:
    """Tokens of some rows, in their order.

    Of a joint pair the longer text is cut. Of a packed one only the text is, never the hypothesis, since a hypothesis must
    be the same beside any text.

    Raises:
        DataError: a text is missing or null, or a hypothesis leaves no room for a token of its text.
    """
    texts = [[text_of(row, column, f"task '{task.name}'") for row in rows] for column in task.text]
    hashes = [_text_hash(row) for row in zip(*texts, strict=True)]
    return _LAYOUTS[task.layout](task, rows, texts, hashes, tokenizer)


def _text_hash(texts: tuple[str, ...]) -> int:
    """64 bits of the texts of a row, without regard to white space and marks; 0 where one of them has no visible character."""
    cleaned = [clean(text) for text in texts]
    if not all(cleaned):
        return 0
    return int.from_bytes(hashlib.blake2b("\0".join(cleaned).encode(), digest_size=8).digest(), "little") or 1


def stand_in_token(tokenizer: PreTrainedTokenizerFast) -> int:
    """The token of a row that has none: an empty text under a tokenizer that adds no special tokens."""
    special = (
        tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.cls_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id,
    )  # fmt: skip
    return next((int(token) for token in special if token is not None), 0)


def _joint(
    task: Task, _: Sequence[Row], texts: Sequence[list[str]], hashes: Sequence[int], tokenizer: PreTrainedTokenizerFast
) -> list[TokenRow]:
    found = _encoded(texts, task.max_length, tokenizer)
    nothing = stand_in_token(tokenizer)
    return [
        TokenRow(e.ids or [nothing], e.type_ids or [0], bool(e.overflowing), 0, h)
        for e, h in zip(found, hashes, strict=True)
    ]


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


def _packed(
    task: Task,
    rows: Sequence[Row],
    texts: Sequence[list[str]],
    hashes: Sequence[int],
    tokenizer: PreTrainedTokenizerFast,
) -> list[TokenRow]:
    found = tokenizer(*texts, truncation=False, return_attention_mask=False, verbose=False).encodings
    behind = _behind_a_pair(tokenizer)
    cut = [_packed_row(task, row, one, behind, tokenizer) for row, one in zip(rows, found, strict=True)]
    nothing = stand_in_token(tokenizer)
    return [
        replace(row, ids=row.ids or [nothing], types=row.types or [0], text_hash=text_hash)
        for row, text_hash in zip(cut, hashes, strict=True)
    ]


def _packed_row(task: Task, row: Row, one: Any, behind: int, tokenizer: PreTrainedTokenizerFast) -> TokenRow:
    sides = one.sequence_ids
    second = sides.index(1) if 1 in sides else len(sides) - behind
    begin = sides.index(0) if 0 in sides else second
    count = sides.count(0)
    excess = max(0, len(sides) - task.max_length)
    if excess and excess >= count:
        room = task.max_length - (len(sides) - count - sides.count(1)) - 1
        raise DataError(
            f"{row.where}: column '{task.text[1]}': the hypothesis has {sides.count(1)} tokens, and beside a token of the "
            f"text there is room for {max(0, room)}. In a packed pair only the text is cut: raise data.max_length",
            task.name,
        )
    gone = begin if tokenizer.truncation_side == "left" else begin + count - excess
    ids, types = (piece[:gone] + piece[gone + excess :] for piece in (one.ids, one.type_ids))
    return TokenRow(ids, types, excess > 0, second - excess)


def _behind_a_pair(tokenizer: PreTrainedTokenizerFast) -> int:
    """Special tokens behind the second text: all that is left of a hypothesis without tokens."""
    sides = tokenizer("one", "two", verbose=False).sequence_ids(0)
    return sides[::-1].index(1)


_LAYOUTS = {"joint": _joint, "packed": _packed}
