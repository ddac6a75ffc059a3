"""What an input provides: a raw row -> tokens and other arrays of one row of a model. It knows nothing of labels."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from mtl_cli.tasks.clean import clean
from mtl_cli.tasks.columns import ColumnSpec
from mtl_cli.tasks.rows import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class EncodedRow:
    """One row as a model gets it."""

    ids: Sequence[int]
    types: Sequence[int]
    cut: bool
    """Whether tokens were lost."""
    text_hash: int = 0
    """Of the texts as they are compared, in 64 bits; 0 where one of them is empty."""
    arrays: Mapping[str, Any] = field(default_factory=dict)
    """What else the input gives, by the names that it declares."""


@dataclass(frozen=True)
class Asked:
    """What is read of a row, and for which task."""

    task: str
    columns: tuple[str, ...]
    """Of the texts."""
    max_length: int
    """Tokens a row."""


class Input(ABC):
    """Turns the rows of a task into tokens."""

    name: ClassVar[str]
    arrays: ClassVar[Mapping[str, ColumnSpec]] = {}
    """What it gives beside the tokens."""
    packs: ClassVar[bool] = False
    """Whether a text must not see the hypothesis behind it, which not every encoder can have."""

    @abstractmethod
    def check(self, columns: Sequence[str]) -> None:
        """Raise `ValueError` if so many columns of text are not what it reads."""

    @abstractmethod
    def encode(self, asked: Asked, rows: Sequence[Row], tokenizer: PreTrainedTokenizerFast) -> list[EncodedRow]:
        """Some rows, in their order.

        Raises:
            DataError: a text is missing or null, or does not fit.
        """


def text_hash(texts: Sequence[str]) -> int:
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
