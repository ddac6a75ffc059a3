"""How many texts are scored together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

BLOCK = 256
"""Texts scored together: the first 256 of the input, the next 256, and so on.

Matrix products round a row differently in another batch. A block is always scored whole, so a score depends on the input and on
what is asked, and not on where a run was stopped. A kill loses at most one block.
"""

_T = TypeVar("_T")


def in_blocks(texts: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Blocks of texts that are all at hand."""
    return (texts[at : at + BLOCK] for at in range(0, len(texts), BLOCK))
