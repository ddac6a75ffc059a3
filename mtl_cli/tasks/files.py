"""Rows of local files, one at a time, each with the place it came from. Memory does not grow with the file."""

from __future__ import annotations

import csv
import io
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from mtl_cli.errors import DataError
from mtl_cli.tasks.formats import columnar
from mtl_cli.tasks.rows import Row, text_of

__all__ = ["SUFFIXES", "Row", "class_names", "read_file", "read_stream", "text_of", "text_stream"]


def _jsonl(stream: Iterable[str], name: str) -> Iterator[Row]:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{where}: broken JSON at column {error.colno}: {error.msg}. Each line must be one JSON object."
            ) from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not readable as JSON: {str(error).splitlines()[0][:120]}") from error
        if not isinstance(values, dict):
            raise DataError(f'{where}: must be a JSON object, such as {{"text": ...}}; found {type(values).__name__}')
        yield Row(where, values)


def _delimited(stream: Iterable[str], name: str, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    # Strict: else a quote that is never closed swallows the rest of the file into one field, silently.
    reader = csv.DictReader(
        stream, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE, strict=True
    )
    try:
        twice = sorted({c for c in reader.fieldnames or [] if (reader.fieldnames or []).count(c) > 1})
        if twice:
            raise DataError(f"{name}:1: column '{twice[0]}' stands more than once in the header")
        for values in reader:
            where = f"{name}:{reader.line_num}"
            if None in values or None in values.values():
                found = sum(v is not None for k, v in values.items() if k is not None) + len(values.get(None) or [])
                raise DataError(f"{where}: {found} fields, but the header has {len(reader.fieldnames or [])}")
            yield Row(where, values)
    except csv.Error as error:
        raise DataError(
            f"{name}:{reader.line_num + 1}: the row that begins here is not readable as CSV: {error}"
        ) from error


def _txt(stream: Iterable[str], name: str) -> Iterator[Row]:
    for number, line in enumerate(stream, start=1):
        text = line.rstrip("\r\n")
        if text.strip():
            yield Row(f"{name}:{number}", {"text": text})


_READERS: dict[str, Callable[[Iterable[str], str], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".json": _jsonl,
    ".csv": lambda stream, name: _delimited(stream, name, ","),
    ".tsv": lambda stream, name: _delimited(stream, name, "\t"),
    ".txt": _txt,
}
_COLUMNAR = {
    ".parquet": (columnar.parquet_rows, columnar.class_names_of_parquet),
    ".arrow": (columnar.arrow_rows, columnar.class_names_of_arrow),
}
SUFFIXES = (".jsonl", ".csv", ".tsv", ".parquet", ".arrow")
"""File formats of a data set, in the order they are looked for."""


def read_stream(stream: Iterable[str], suffix: str | None, name: str) -> Iterator[Row]:
    """Rows of an open text stream in the format that a suffix such as `.jsonl` names. Raises `DataError` for a broken row.

    Without a suffix: JSON objects if the first line that is not empty begins as one does, else one text a line.
    """
    try:
        if suffix is None:
            stream, suffix = _recognised(iter(stream))
        yield from _READERS[suffix](stream, name)
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 text ({error.reason}); convert it to UTF-8 first") from error


def _recognised(lines: Iterator[str]) -> tuple[Iterator[str], str]:
    """The same lines, and the suffix that fits them."""
    head: list[str] = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    return itertools.chain(head, lines), ".jsonl" if head and head[-1].lstrip().startswith("{") else ".txt"


def read_file(path: Path) -> Iterator[Row]:
    """Rows of a .jsonl, .csv, .tsv, .parquet or .txt file.

    Raises:
        DataError: the file is missing, empty, not UTF-8, of an unknown format, or broken; says in which line.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix in _COLUMNAR:
        rows = _COLUMNAR[suffix][0](path)
    elif suffix in _READERS:
        rows = _text(path, suffix)
    else:
        raise DataError(f"{path}: unknown format '{path.suffix}'; known: {', '.join([*_READERS, *_COLUMNAR])}")
    count = 0
    for row in rows:
        count += 1
        yield row
    if not count:
        raise DataError(f"{path}: the file has no rows")


def class_names(path: Path) -> dict[str, tuple[str, ...]]:
    """Names of the classes by column, in the order of their ids, where the file itself names them; empty for other formats.

    Parquet and Arrow files of `datasets` do, for columns of type ClassLabel.

    Raises:
        DataError: the file is damaged.
    """
    form = _COLUMNAR.get(path.suffix.lower())
    return form[1](path) if form else {}


def _text(path: Path, suffix: str) -> Iterator[Row]:
    try:
        # A byte-order mark, as spreadsheets write it, is no part of the first column's name.
        with path.open(encoding="utf-8-sig", newline="" if suffix in (".csv", ".tsv") else None) as stream:
            yield from _READERS[suffix](stream, str(path))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}:{_undecodable_line(path)}: not UTF-8 text ({error.reason}); convert it to UTF-8 first"
        ) from error


def _undecodable_line(path: Path) -> int:
    """Number of the first line that is not UTF-8; the error itself counts bytes from the last block that was read."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0


def text_stream(binary: IO[bytes]) -> IO[str]:
    """A binary stream, such as standard input, as UTF-8 text."""
    return io.TextIOWrapper(binary, encoding="utf-8-sig")
