"""Scores that were found before, on disk, by content. Legend: N texts, H phrases."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mtl_cli.errors import RunError
from mtl_cli.zeroshot.labels.label_set import Phrase

Scorer = Callable[[Sequence[str], Sequence[Phrase]], np.ndarray]


class Cache:
    """Remembers scores, one SQLite file an engine. Texts and phrases are kept as digests only.

    What comes back is bit for bit what the engine gives without a cache. An engine whose scores round differently in another block
    of texts is asked again where the block has changed.

    Args:
        folder: of the files.
        arithmetic: everything but texts, phrases and model that the last bits of a score depend on.
    """

    def __init__(self, folder: Path, arithmetic: Callable[[], str] = str) -> None:
        self._folder, self._arithmetic = folder, arithmetic

    def filled_block(
        self, signature: str, texts: Sequence[str], phrases: Sequence[Phrase], scorer: Scorer, *, phrases_alone: bool
    ) -> np.ndarray:
        """Scores of every text and phrase, shape [N, H], by an engine that scores these texts together.

        Args:
            signature: everything but text and phrase that a score depends on.
            texts: of the block.
            phrases: columns.
            scorer: of the engine.
            phrases_alone: a phrase's scores do not depend on the other phrases, so that a new one costs its own column.

        Raises:
            RunError: the file cannot be read or written.
        """
        columns = [_phrase_key(phrase) for phrase in phrases]
        block = _digest_of([_digest(text) for text in texts] + ([] if phrases_alone else columns))
        with self._open(f"{signature} {self._arithmetic()}") as db, db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS blocks (block BLOB, phrase BLOB, scores BLOB, PRIMARY KEY (block, phrase)) WITHOUT ROWID"
            )
            rows = db.execute("SELECT phrase, scores FROM blocks WHERE block = ?", (block,))
            known = {key: np.frombuffer(scores, "<f8", len(texts)) for key, scores in rows}
        new = [i for i, column in enumerate(columns) if column not in known]
        if new:
            scores_NH = scorer(texts, [phrases[i] for i in new])
            found = {columns[i]: scores_NH[:, j].astype("<f8") for j, i in enumerate(new)}
            with self._open(f"{signature} {self._arithmetic()}") as db, db:
                entries = [(block, key, scores_N.tobytes()) for key, scores_N in found.items()]
                db.executemany("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", entries)
            known |= found
        return np.stack([known[column] for column in columns], axis=1).astype(np.float64)

    def filled(self, signature: str, texts: Sequence[str], phrases: Sequence[Phrase], scorer: Scorer) -> np.ndarray:
        """Scores of every text and phrase, shape [N, H], by an engine that scores each text and phrase by itself.

        A new label costs its own column, and a new text its own row.

        Args:
            signature: everything but text and phrase that a score depends on.
            texts: rows.
            phrases: columns.
            scorer: of the engine.

        Raises:
            RunError: the file cannot be read or written.
        """
        text_keys, phrase_keys = [_digest(text) for text in texts], [_phrase_key(phrase) for phrase in phrases]
        with self._open(signature) as db:
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
            with self._open(signature) as db, db:
                db.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?)", entries)
        return known_NH

    @contextlib.contextmanager
    def _open(self, signature: str) -> Iterator[sqlite3.Connection]:
        path = self._folder / f"{_digest(signature).hex()}.sqlite"
        with _explained(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(path, timeout=60)) as db:
                yield db

    @staticmethod
    def _row(db: sqlite3.Connection, text: bytes, phrases: Sequence[bytes]) -> list[float]:
        found = dict(db.execute("SELECT phrase, score FROM scores WHERE text = ?", (text,)))
        return [found.get(phrase, np.nan) for phrase in phrases]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _digest_of(digests: Sequence[bytes]) -> bytes:
    return hashlib.blake2b(b"".join(digests), digest_size=16).digest()


def _phrase_key(phrase: Phrase) -> bytes:
    return _digest(f"{phrase.before}\0{phrase.words}\0{phrase.after}")


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
    except (sqlite3.Error, OSError, ValueError, TypeError) as error:
        raise RunError(
            f"cannot use the cache of scores {path}: {error}. Remove the file, or leave the cache out (cache=false)."
        ) from error
