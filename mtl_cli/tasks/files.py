"""Rows of local files, one at a time, each with the place it came from. Memory does not grow with the file."""

from __future__ import annotations

import csv
import io
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mtl_cli.errors import DataError, did_you_mean


@dataclass(frozen=True)
class Row:
    """One row and where it stands."""

    where: str
    """Such as `train.csv:12`, for messages."""
    values: Mapping[str, Any]

    def column(self, name: str, of: str) -> Any:
        """The value of a column.

        Raises:
            DataError: there is no such column; names those that there are.
        """
        if name not in self.values:
            columns = ", ".join(map(str, self.values))
            raise DataError(
                f"{self.where}: {of} reads column '{name}', which is missing. Columns here: {columns}. {did_you_mean(name, self.values)}"
            )
        return self.values[name]


def text_of(row: Row, column: str, of: str) -> str:
    """The text in a column; a number is its digits.

    Raises:
        DataError: there is no such column, or it holds null, a list, a mapping, or half a Unicode character.
    """
    value = row.column(column, of)
    if value is None or isinstance(value, list | dict):
        found = "is null" if value is None else f"holds a {type(value).__name__}"
        raise DataError(f"{row.where}: column '{column}' {found}; {of} needs a text there")
    text = str(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"{row.where}: column '{column}' holds half a Unicode character (a lone surrogate)"
            ) from error
    return text


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
SUFFIXES = (".jsonl", ".csv", ".tsv", ".parquet")
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
    if suffix == ".parquet":
        rows = _parquet(path)
    elif suffix in _READERS:
        rows = _text(path, suffix)
    else:
        raise DataError(f"{path}: unknown format '{path.suffix}'; known: {', '.join([*_READERS, '.parquet'])}")
    count = 0
    for row in rows:
        count += 1
        yield row
    if not count:
        raise DataError(f"{path}: the file has no rows")


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


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=1024):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{path}:{number}", values)
    except (pyarrow.ArrowException, OSError) as error:  # a damaged page is an OSError
        raise DataError(f"{path}: not readable as Parquet: {error}") from error


def text_stream(binary: IO[bytes]) -> IO[str]:
    """A binary stream, such as standard input, as UTF-8 text."""
    return io.TextIOWrapper(binary, encoding="utf-8-sig")
