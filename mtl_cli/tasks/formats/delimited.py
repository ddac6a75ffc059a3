"""CSV and TSV: fields between delimiters, in quotes or not."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal

from mtl_cli.errors import DataError
from mtl_cli.tasks.formats.base import Dialect, Options, TextSource
from mtl_cli.tasks.rows import MAX_TEXT, Row, name_list

log = logging.getLogger(__name__)

_NAMES = {",": "','", ";": "';'", "\t": "tab", "|": "'|'"}
"""Delimiters that are looked for, as messages call them."""
_SEP = re.compile(r'"?sep=(.)"?\s*')
"""A first line that names the delimiter for Excel."""
_Opened = Callable[[], AbstractContextManager[TextSource]]


def rows(source: TextSource, dialect: Dialect, options: Options) -> Iterator[Row]:
    """Rows by the names of the header.

    Raises:
        DataError: a row does not fit the header, or its quotes do not fit each other.
    """
    name = source.name
    stream = source.text(newline="")
    for _ in range(dialect.skipped):
        next(stream)
    reader = _reader(stream, dialect)
    number = dialect.skipped
    try:
        header = _header(next(reader, []), name)
        number += reader.line_num
        for values in reader:
            number = dialect.skipped + reader.line_num
            if len(values) != len(header):
                if not values:
                    continue
                raise DataError(_misfit(f"{name}:{number}", values, header, dialect, options))
            yield Row(f"{name}:{number}", dict(zip(header, values, strict=True)))
    except csv.Error as error:
        raise DataError(_broken(f"{name}:{number + 1}", error, dialect, options)) from error


def _reader(lines: Iterable[str], dialect: Dialect) -> Any:
    csv.field_size_limit(MAX_TEXT)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if dialect.is_quoted else csv.QUOTE_NONE
    # Strict: else a quote that is never closed swallows the rest of the file into one field, silently.
    return csv.reader(lines, delimiter=dialect.delimiter, quoting=quoting, strict=True)


def _header(names: list[str], name: str) -> list[str]:
    if len(set(names)) < len(names):
        twice = sorted({column for column in names if names.count(column) > 1})
        raise DataError(f"{name}:1: column '{name_list(twice[:1])}' is listed more than once in the header")
    if any("\0" in column for column in names):
        raise DataError(f"{name}:1: the header holds NUL bytes, as UTF-16 text does; convert it to UTF-8 first")
    return names


def _misfit(where: str, values: Sequence[str], header: Sequence[str], dialect: Dialect, options: Options) -> str:
    found = f"{where}: {len(values)} fields, but the header has {len(header)}"
    other = next((d for d in _NAMES if d != dialect.delimiter and any(d in column for column in header)), None)
    if other is not None:
        return f"{found}. The delimiter seems to be {_NAMES[other]}: set {options.key}.delimiter"
    return (
        f"{found} (the delimiter is {_NAMES.get(dialect.delimiter, repr(dialect.delimiter))}: {options.key}.delimiter)"
    )


def _broken(where: str, error: csv.Error, dialect: Dialect, options: Options) -> str:
    problem = f"{where}: the row that begins here is not readable as CSV: {error}"
    if not dialect.is_quoted:
        return problem
    return f"{problem}. If quotes are ordinary characters in this file: {options.key}.quoting=none"


def dialect_of(opened: _Opened, name: str, suffix: str, options: Options) -> Dialect:
    """Delimiter and quoting of a file: from the options, else found by a pass over the file and logged.

    Raises:
        DataError: the header fits two delimiters.
    """
    delimiter, skipped = _delimiter(opened, name, "\t" if suffix == ".tsv" else ",", options)
    if options.quoting != "auto":
        return Dialect(delimiter, options.quoting == "csv", skipped)
    if suffix != ".tsv":
        return Dialect(delimiter, True, skipped)
    return Dialect(delimiter, _shows_quotes(opened, name, delimiter, skipped, options), skipped)


def _delimiter(opened: _Opened, name: str, usual: str, options: Options) -> tuple[str, int]:
    """The delimiter, and the number of lines ahead of the header."""
    with opened() as source:
        lines = source.text(newline="")
        header = next(lines, "")
        separator = _SEP.fullmatch(header)
        if separator:
            return options.delimiter or separator[1], 1
        if options.delimiter is not None:
            return options.delimiter, 0
    if _fields(header, usual) > 1:
        return usual, 0
    others = [delimiter for delimiter in _NAMES if delimiter != usual and _fields(header, delimiter) > 1]
    if len(others) > 1:
        shown = " or ".join(_NAMES[delimiter] for delimiter in others)
        raise DataError(f"{name}:1: the delimiter may be {shown}: set {options.key}.delimiter")
    if not others:
        return usual, 0
    log.info("data     %s: the delimiter is %s (%s.delimiter)", name, _NAMES[others[0]], options.key)
    return others[0], 0


def _fields(line: str, delimiter: str) -> int:
    """Fields of a line; 0 if its quotes do not fit this delimiter."""
    try:
        return len(next(_reader([line], Dialect(delimiter, True)), []))
    except csv.Error:
        return 0


@dataclass
class _Evidence:
    """What speaks for and against quotes as quotes, line by line as the CSV reader takes them."""

    delimiter: str
    width: int = 0
    misfit: int | None = None
    """First line whose number of fields differs from the header's, if quotes are letters."""
    is_stray: bool = False
    """Whether a field holds a quote and is not in quotes as a whole."""
    needless: set[int] = field(default_factory=set)
    """Columns in which a field stands in quotes without need."""
    plain: set[int] = field(default_factory=set)
    """Columns in which a field does not stand in quotes."""

    def watch(self, lines: Iterable[str]) -> Iterator[str]:
        """The same lines."""
        for number, line in enumerate(lines):
            fields = line.rstrip("\r\n").split(self.delimiter)
            if number == 0:
                self.width = len(fields)
            elif line.strip("\r\n"):
                if self.misfit is None and len(fields) != self.width:
                    self.misfit = number
                for column, text in enumerate(fields):
                    self._look(column, text)
            yield line

    def _look(self, column: int, text: str) -> None:
        if '"' not in text:
            if text:
                self.plain.add(column)
        elif not (len(text) > 1 and text[0] == text[-1] == '"') or '"' in text[1:-1].replace('""', ""):
            self.is_stray = True
        elif '""' not in text[1:-1]:
            self.needless.add(column)

    def shows_quotes(self, fault: int | None, spans_lines: bool) -> bool:
        """Whether quotes are quotes.

        Args:
            fault: first line that is broken if they are.
            spans_lines: whether a field goes over several lines if they are.
        """
        if fault is not None:
            return self.misfit is not None and self.misfit < fault
        if self.misfit is not None:
            return True
        if spans_lines:  # as letters, each of the lines has the header's fields: no chance where there are two
            return self.width == 1
        # Whoever writes CSV puts quotes around a field with a quote in it, or around a whole column.
        return not self.is_stray and not self.needless & self.plain


def _shows_quotes(opened: _Opened, name: str, delimiter: str, skipped: int, options: Options) -> bool:
    if not _field_begins_with_quote(opened, delimiter):
        return False
    evidence = _Evidence(delimiter)
    with opened() as source:
        lines = source.text(newline="")
        for _ in range(skipped):
            next(lines)
        fault, spans_lines = _first_fault(_reader(evidence.watch(lines), Dialect(delimiter, True)))
    is_quoted = evidence.shows_quotes(fault, spans_lines)
    if is_quoted:
        log.info("data     %s: fields are quoted; quotes are read as quotes (%s.quoting)", name, options.key)
    else:
        log.info(
            "data     %s: quotes are read as ordinary characters; if they enclose fields: %s.quoting=csv",
            name,
            options.key,
        )
    return is_quoted


def _first_fault(reader: Any) -> tuple[int | None, bool]:
    """Lines ahead of the first row that is broken or does not fit the header (None: all fit), and whether a row has several lines."""
    width, number, spans_lines = 0, 0, False
    try:
        for values in reader:
            width = width or len(values)
            if values and len(values) != width:
                return number, spans_lines
            spans_lines |= reader.line_num > number + 1
            number = reader.line_num
    except csv.Error:
        return number, spans_lines
    return None, spans_lines


def _field_begins_with_quote(opened: _Opened, delimiter: str) -> bool:
    """Whether it matters at all how quotes are read."""
    begin = re.compile(f'(?:^|[\r\n{re.escape(delimiter)}])"')
    with opened() as source:
        stream, last = source.text(newline=""), "\n"
        while block := stream.read(1 << 20):
            if begin.search(last + block):
                return True
            last = block[-1]
    return False
