"""Token sequences that share their beginnings. Legend: H sequences, C columns, E edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Trie:
    """What a model must see behind a prompt to know how likely each of some sequences is.

    Column 0 is the last one of the prompt; each further column is a token that something follows. An edge is a token that is asked
    for at a column.
    """

    tokens_C: np.ndarray
    """Token of each column; of column 0 it means nothing."""
    depth_C: np.ndarray
    """Tokens behind the prompt, itself included; 0 for column 0."""
    sees_CC: np.ndarray
    """Whether a column stands on the way to another one, or is itself."""
    column_E: np.ndarray
    token_E: np.ndarray
    edges_H: tuple[np.ndarray, ...]
    """The edges of each sequence, from its first token on."""

    @property
    def columns(self) -> int:
        """C."""
        return len(self.tokens_C)

    def sums(self, found_BE: np.ndarray) -> np.ndarray:
        """Sum over the edges of each sequence, float64, shape [B, H]."""
        starts = np.cumsum([0, *map(len, self.edges_H)])[:-1]
        return np.add.reduceat(found_BE[:, np.concatenate(self.edges_H)].astype(np.float64), starts, axis=1)


def build(sequences: Sequence[Tokens]) -> Trie:
    """The trie of some sequences, each of one token or more."""
    columns: dict[Tokens, int] = {(): 0}
    for sequence in sequences:
        for end in range(1, len(sequence)):
            columns.setdefault(sequence[:end], len(columns))
    edges: dict[tuple[int, int], int] = {}
    paths = [
        np.array([edges.setdefault((columns[s[:at]], token), len(edges)) for at, token in enumerate(s)])
        for s in sequences
    ]
    sees_CC = np.eye(len(columns), dtype=bool)
    for stem, column in columns.items():
        if stem:
            sees_CC[column] |= sees_CC[columns[stem[:-1]]]
    column_E, token_E = np.array(list(edges)).T
    return Trie(
        np.array([stem[-1] if stem else 0 for stem in columns]), np.array([len(stem) for stem in columns]), sees_CC,
        column_E, token_E, tuple(paths),
    )  # fmt: skip


def in_parts(sequences: Sequence[Tokens], most_columns: int) -> Iterator[tuple[np.ndarray, Trie]]:
    """Cut sequences into tries of at most so many columns (or one sequence), those with a common beginning beside each other.

    Yields:
        Places of the sequences, and their trie.
    """
    order = sorted(range(len(sequences)), key=lambda i: sequences[i])
    part: list[int] = []
    stems: set[Tokens] = set()
    for i in order:
        own = {sequences[i][:end] for end in range(1, len(sequences[i]))}
        if part and len(stems | own) + 1 > most_columns:
            yield np.array(part), build([sequences[j] for j in part])
            part, stems = [], set()
        part.append(i)
        stems |= own
    if part:
        yield np.array(part), build([sequences[j] for j in part])
