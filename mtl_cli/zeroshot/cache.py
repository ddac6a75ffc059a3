"""Scores that were found before, on disk, by content. Legend: N texts, H phrases."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mtl_cli.errors import RunError
from mtl_cli.zeroshot.labels import Phrase

Scorer = Callable[[Sequence[str], Sequence[Phrase]], np.ndarray]


class Cache:
    """Remembers the score of each pair of text and phrase, one SQLite file an engine.

    A new label so costs its own column, and a file that has grown costs its new rows. Texts and phrases are kept as digests only.

    Args:
        folder: of the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def filled(self, signature: str, texts: Sequence[str], phrases: Sequence[Phrase], scorer: Scorer) -> np.ndarray:
        """Scores of every text and phrase, shape [N, H]; what is not known is asked of the scorer and kept.

        Args:
            signature: everything but text and phrase that a score depends on.
            texts: rows.
            phrases: columns.
            scorer: of the engine.

        Raises:
            RunError: the file cannot be read or written.
        """
        path = self._folder / f"{_digest(signature).hex()}.sqlite"
        text_keys = [_digest(text) for text in texts]
        phrase_keys = [_digest(f"{p.before}\0{p.words}\0{p.after}") for p in phrases]
        with _explained(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(path, timeout=60)) as db:
                db.execute(
                    "CREATE TABLE IF NOT EXISTS scores (text BLOB, phrase BLOB, score REAL, PRIMARY KEY (text, phrase)) WITHOUT ROWID"
                )
                known_NH = np.array([self._row(db, key, phrase_keys) for key in text_keys], np.float64)
        known_NH = known_NH.reshape(len(texts), len(phrases))
        for rows, columns in _missing(np.isnan(known_NH)):
            new = scorer([texts[i] for i in rows], [phrases[j] for j in columns])
            known_NH[np.ix_(rows, columns)] = new
            entries = [
                (text_keys[i], phrase_keys[j], float(new[a, b]))
                for a, i in enumerate(rows)
                for b, j in enumerate(columns)
            ]
            with _explained(path), contextlib.closing(sqlite3.connect(path, timeout=60)) as db, db:
                db.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?)", entries)
        return known_NH

    @staticmethod
    def _row(db: sqlite3.Connection, text: bytes, phrases: Sequence[bytes]) -> list[float]:
        found = dict(db.execute("SELECT phrase, score FROM scores WHERE text = ?", (text,)))
        return [found.get(phrase, np.nan) for phrase in phrases]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _missing(lacks_NH: np.ndarray) -> Iterator[tuple[list[int], list[int]]]:
    """Rows that lack the same columns, together."""
    groups: dict[bytes, list[int]] = {}
    for i, lacks_H in enumerate(lacks_NH):
        if lacks_H.any():
            groups.setdefault(lacks_H.tobytes(), []).append(i)
    for key, rows in groups.items():
        yield rows, np.flatnonzero(np.frombuffer(key, bool)).tolist()


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise RunError(
            f"cannot use the cache of scores {path}: {error}. Remove the file, or leave the cache out (cache=false)."
        ) from error
