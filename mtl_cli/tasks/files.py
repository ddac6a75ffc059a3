"""Rows of local files, one at a time, each with the place it came from. Memory does not grow with the file."""

from __future__ import annotations

import contextlib
import functools
import gzip
import os
import stat
import typing
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from mtl_cli.errors import DataError
from mtl_cli.tasks.formats import columnar, delimited, json_rows, lines
from mtl_cli.tasks.formats.base import Dialect, Options, TextSource
from mtl_cli.tasks.rows import Row, text_of

__all__ = [
    "SUFFIXES",
    "Options",
    "Row",
    "check_file",
    "class_names",
    "expanded",
    "read_as",
    "read_file",
    "read_stream",
    "text_of",
    "text_stream",
]

_TEXT: dict[str, Callable[[TextSource], Iterator[Row]]] = {
    ".jsonl": json_rows.rows,
    ".json": json_rows.rows,
    ".txt": lines.rows,
}
_USUAL = {".csv": Dialect(",", True), ".tsv": Dialect("\t", False)}
_COLUMNAR = {
    ".parquet": (columnar.parquet_rows, columnar.class_names_of_parquet),
    ".arrow": (columnar.arrow_rows, columnar.class_names_of_arrow),
}
_PACKED = ".gz"
SUFFIXES = (".jsonl", ".csv", ".tsv", ".parquet", ".arrow", ".json", ".jsonl.gz", ".csv.gz", ".tsv.gz", ".json.gz")
"""File formats of a data set, in the order they are looked for."""
_SHOWN = 100
_DEFAULT = Options()


def _form(path: Path) -> tuple[str, bool]:
    """The suffix that says the format, in small letters, and whether the file is packed."""
    suffix = path.suffix.lower()
    return (Path(path.stem).suffix.lower(), True) if suffix == _PACKED else (suffix, False)


def shown(path: Path) -> str:
    """A path for messages; a long one is cut."""
    text = str(path)
    return text if len(text) <= _SHOWN * 3 else f"{text[:_SHOWN]}..."


def expanded(text: str) -> Path:
    """A path with the home folder for `~`; as it stands if there is no such home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def check_file(path: Path) -> None:
    """Raise `DataError` unless there is a file that can be read more than once."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise DataError(f"there is no file {shown(path)}") from error
    except (OSError, ValueError) as error:
        raise _not_openable(path, error) from error
    if stat.S_ISDIR(mode):
        raise DataError(f"{shown(path)} is a folder: name a file in it")
    if not stat.S_ISREG(mode):
        what = "is a pipe or device, which can be read only once"
        raise DataError(
            f"{shown(path)} {what}: write it to a file first (mtl zeroshot reads standard input too: --file -)"
        )


def _not_openable(path: Path, error: Exception) -> DataError:
    reason = error.strerror if isinstance(error, OSError) else str(error)  # ValueError: a NUL in the path
    return DataError(f"cannot open {shown(path)!r}: {reason}")


def read_stream(source: TextSource, suffix: str | None) -> Iterator[Row]:
    """Rows of an open text stream in the format that a suffix such as `.jsonl` names. Raises `DataError` for a broken row.

    Without a suffix: JSON if it begins with an object or an array of objects, else one text a line.
    """
    suffix = suffix or (".jsonl" if _looks_like_json(source.head()) else ".txt")
    if suffix in _USUAL:
        return _decoded(source, delimited.rows(source, _USUAL[suffix], _DEFAULT))
    return _decoded(source, _TEXT[suffix](source))


def _looks_like_json(head: str) -> bool:
    return head.startswith("{") or (head.startswith("[") and head[1:].lstrip()[:1] in ("", "{"))


def _decoded(source: TextSource, rows: Iterator[Row]) -> Iterator[Row]:
    with _errors_in_prose(source):
        yield from rows


@contextlib.contextmanager
def _errors_in_prose(source: TextSource) -> Iterator[None]:
    """What cannot be read, unpacked or decoded is an error of the data."""
    try:
        yield
    except UnicodeDecodeError as error:
        where = f"{source.name}:{source.bytes.line_of(error)}"
        raise DataError(f"{where}: not UTF-8 text ({error.reason}); convert it to UTF-8 first") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{source.name}: not readable as gzip: {error}. Is the file complete? Write or download it again"
        ) from error
    except OSError as error:
        raise DataError(f"{source.name}: not readable: {error.strerror or error}") from error


def read_file(path: Path, options: Options = _DEFAULT) -> Iterator[Row]:
    """Rows of a .jsonl, .json, .csv, .tsv or .txt file (packed as .gz too), or of a .parquet or .arrow file.

    Raises:
        DataError: the file is missing, empty, not UTF-8, of an unknown format, or broken; says in which line.
    """
    check_file(path)
    with _rows(path, options) as rows:
        first = next(rows, None)
        if first is None:
            raise DataError(f"{path}: the file has no rows")
        yield first
        yield from rows


@contextlib.contextmanager
def _rows(path: Path, options: Options) -> Iterator[Iterator[Row]]:
    """The rows of an open file."""
    suffix, is_packed = _form(path)
    if suffix in _COLUMNAR and not is_packed:
        yield _COLUMNAR[suffix][0](path)
        return
    if suffix not in _TEXT and suffix not in _USUAL:
        known = ", ".join([".jsonl", ".json", *_USUAL, ".txt", *_COLUMNAR])
        suffix = suffix + _PACKED if is_packed else path.suffix
        raise DataError(f"{shown(path)}: unknown format '{suffix}'; known: {known}, and text formats packed as .gz")
    dialect = _dialect_of(path, options) if suffix in _USUAL else None
    with _opened(path, is_packed) as source:
        yield delimited.rows(source, dialect, options) if dialect else _TEXT[suffix](source)


def read_as(path: Path, options: Options) -> str:
    """How a file with delimiters is read, if not as its suffix says: for digests of its rows. This is logged once for each file.

    Raises:
        DataError: the file is missing, or its header fits two delimiters.
    """
    suffix, _ = _form(path)
    if suffix not in _USUAL:
        return ""
    check_file(path)
    dialect = _dialect_of(path, options)
    return "" if dialect == _USUAL[suffix] else repr(dialect)


def _dialect_of(path: Path, options: Options) -> Dialect:
    facts = path.stat()
    return _dialect(path, facts.st_mtime_ns, facts.st_size, options)


@functools.lru_cache(maxsize=256)
def _dialect(path: Path, changed: int, size: int, options: Options) -> Dialect:  # noqa: ARG001
    """Delimiter and quoting of a file. A file that has changed is read again."""
    suffix, is_packed = _form(path)
    return delimited.dialect_of(lambda: _opened(path, is_packed), str(path), suffix, options)


@contextlib.contextmanager
def _opened(path: Path, is_packed: bool) -> Iterator[TextSource]:
    """The text of a file."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise _not_openable(path, error) from error
    with file:
        packed = os.fstat(file.fileno()).st_size if is_packed else None
        source = TextSource(
            typing.cast(IO[bytes], gzip.GzipFile(fileobj=file) if is_packed else file), str(path), packed
        )
        with _errors_in_prose(source):
            source.head()
            yield source


def class_names(path: Path) -> dict[str, tuple[str, ...]]:
    """Names of the classes by column, in the order of their ids, where the file itself names them; empty for other formats.

    Parquet and Arrow files of `datasets` do, for columns of type ClassLabel.

    Raises:
        DataError: the file is missing or damaged.
    """
    form = _COLUMNAR.get(path.suffix.lower())
    if form is None:
        return {}
    check_file(path)
    return form[1](path)


def text_stream(binary: IO[bytes], name: str) -> TextSource:
    """A binary stream, such as standard input, as UTF-8 text under a name for messages."""
    return TextSource(binary, name)
