"""JSON: an object per line, an array of objects over any number of lines, or a table as pandas writes it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mtl_cli.errors import DataError
from mtl_cli.tasks.formats.base import MAX_LINE, TextSource
from mtl_cli.tasks.rows import Row, name_list

_BLOCK = 1 << 20
_NEAR = 16
"""Letters before the end of a block in which a value that goes on in the next one may look broken."""
_WRAPPERS = ("data", "rows", "records", "examples", "items", "instances")
_SHAPES = "An object per line, or an array of objects, is read"


def rows(source: TextSource) -> Iterator[Row]:
    """Rows of JSON in any of its shapes, told by how it begins."""
    if source.head().startswith("["):
        source.bytes.bounds_lines = False  # pandas writes an array on one line
        return _array(_Values(source.text().read, source.name))
    return _objects(source)


def _objects(source: TextSource) -> Iterator[Row]:
    """Objects: one a line, or the first of them over several lines."""
    stream = source.text()
    lines = enumerate(stream, start=1)
    first = next(((n, line) for n, line in lines if line.strip()), None)
    if first is None:
        return
    number, line = first
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        if error.pos < len(line.rstrip()):
            raise _broken(f"{source.name}:{number}", error) from error
        head = "\n" * (number - 1) + line
        yield from _one_after_another(_Values(stream.read, source.name, head))
        return
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"{source.name}:{number}", error) from error
    rest: Iterable[tuple[int, str]] = lines
    if _is_table(values):  # only then: of a stream, a row is given before the next one is there
        second = next(((n, line) for n, line in lines if line.strip()), None)
        if second is None:
            yield from _table(values, source.name)
            return
        rest = itertools.chain([second], lines)
    yield _row(values, f"{source.name}:{number}")
    yield from _lines(rest, source.name)


def _lines(lines: Iterable[tuple[int, str]], name: str) -> Iterator[Row]:
    decode = json.JSONDecoder().raw_decode
    for number, line in lines:
        try:
            values, end = decode(line)
        except (ValueError, RecursionError):
            end = 0
        if end < len(line) - 1 or not end:  # white space around the object, or a fault
            if not line.strip():
                continue
            values = _loaded(line, f"{name}:{number}")
        yield Row(f"{name}:{number}", values) if type(values) is dict else _row(values, f"{name}:{number}")


def _loaded(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise _broken(where, error) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(where, error) from error


def _row(values: Any, where: str) -> Row:
    if not isinstance(values, dict):
        raise DataError(
            f'{where}: must be a JSON object, such as {{"text": ...}}; found {_TYPES.get(type(values), "a number")}'
        )
    return Row(where, values)


_TYPES: dict[type, str] = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def _broken(where: str, error: json.JSONDecodeError) -> DataError:
    return DataError(f"{where}: broken JSON at column {error.colno}: {error.msg}. Each line must be one JSON object.")


def _unreadable(where: str, error: Exception) -> DataError:
    return DataError(f"{where}: not readable as JSON: {str(error).splitlines()[0][:120]}")


class _Values:
    """JSON values of a text that is read block by block.

    Args:
        read: gives the next letters, none at the end.
        name: for messages.
        text: what was read already.
    """

    def __init__(self, read: Callable[[int], str], name: str, text: str = "") -> None:
        self._read, self._name = read, name
        self._text, self._at, self._ended = text, 0, False
        self._line = 1
        self._decoder = json.JSONDecoder()

    @property
    def where(self) -> str:
        """File and line of the next letter."""
        return f"{self._name}:{self._line + self._text.count(chr(10), 0, self._at)}"

    def peek(self) -> str:
        """The next letter that is no white space, which stays to be read; empty at the end."""
        while True:
            rest = self._text[self._at : self._at + 1]
            if rest and not rest.isspace():
                return rest
            if rest:
                self._at += 1
            elif not self._grow():
                return ""

    def skip(self, letter: str) -> bool:
        """Read the next letter if it is this one."""
        if self.peek() != letter:
            return False
        self._at += 1
        return True

    def value(self) -> Any:
        """The next value.

        Raises:
            DataError: it is broken, too large or too deep.
        """
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not (self._may_go_on(error) and self._grow()):
                    raise self._broken(error) from error
            except (ValueError, RecursionError) as error:
                raise _unreadable(self.where, error) from error
            else:
                if end < len(self._text) or not self._grow():  # the digits of a number may go on
                    self._at = end
                    return value
            if len(self._text) - self._at > MAX_LINE:
                problem = f"the JSON value that begins here has more than {MAX_LINE >> 20} MiB"
                raise DataError(f"{self.where}: {problem}. Write an object per line (JSON Lines)")

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        return error.pos >= len(self._text) - _NEAR or error.msg.startswith("Unterminated")

    def _broken(self, error: json.JSONDecodeError) -> DataError:
        line = self._line + error.lineno - 1
        return DataError(f"{self._name}:{line}: broken JSON at column {error.colno}: {error.msg}. {_SHAPES}")

    def _grow(self) -> bool:
        """Read on; False at the end."""
        more = "" if self._ended else self._read(max(_BLOCK, len(self._text) - self._at))
        self._ended = not more
        if more:
            self._line += self._text.count("\n", 0, self._at)
            self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)

    def expect_end(self) -> None:
        """Raise `DataError` if more follows."""
        if self.peek():
            raise DataError(f"{self.where}: more follows after the array. {_SHAPES}")


def _array(values: _Values) -> Iterator[Row]:
    values.skip("[")
    number, is_first = 0, True
    while not values.skip("]"):
        if not is_first and not values.skip(","):
            found = "the end of the file" if not values.peek() else f"'{values.peek()}'"
            raise DataError(
                f"{values.where}: broken JSON: expected ',' or ']' after item {number} of the array; found {found}"
            )
        is_first = False
        number += 1
        values.peek()
        where = f"{values.where}, item {number}"
        yield _row(values.value(), where)
    values.expect_end()


def _one_after_another(values: _Values) -> Iterator[Row]:
    """Objects over several lines each; one alone may be a table."""
    values.peek()
    where, first = values.where, values.value()
    if _is_table(first) and not values.peek():
        yield from _table(first, values.where.rpartition(":")[0])
        return
    yield _row(first, where)
    while values.peek():
        where = values.where
        yield _row(values.value(), where)


def _is_table(values: Any) -> bool:
    """Whether an object may hold rows rather than be one."""
    return isinstance(values, dict) and (
        _wrapped(values) is not None or _has_all(values, list) or _has_all(values, dict)
    )


def _has_all(values: Mapping[str, Any], kind: type) -> bool:
    return bool(values) and all(isinstance(value, kind) for value in values.values())


def _wrapped(values: Mapping[str, Any]) -> str | None:
    """Key of a list of rows, such as {"version": 1, "data": [{...}]}."""
    lists = [k for k, v in values.items() if isinstance(v, list) and v and all(isinstance(item, dict) for item in v)]
    if len(lists) == 1 and (len(values) == 1 or lists[0] in _WRAPPERS):
        return lists[0]
    return None


def _table(values: dict[str, Any], name: str) -> Iterator[Row]:
    """Rows of an object that stands alone in its file: a list of rows, or lists of columns, as pandas writes them.

    Raises:
        DataError: it is none of these.
    """
    key = _wrapped(values)
    if key is not None:
        return _numbered(values[key], f"{name}, {key}")
    if {"columns", "data"} <= values.keys() and _has_all(values, list):
        return _numbered((_split(values["columns"], row, name) for row in values["data"]), f"{name}, data")
    if _has_all(values, list):
        return _numbered(_by_column(values, name), name)
    return _numbered(_by_index(values, name), name)


def _numbered(items: Iterable[Any], name: str) -> Iterator[Row]:
    for number, item in enumerate(items, start=1):
        yield _row(item, f"{name}, item {number}")


def _split(columns: list[Any], row: Any, name: str) -> dict[str, Any]:
    if not isinstance(row, list) or len(row) != len(columns):
        raise DataError(f"{name}: data holds a row that does not fit the {len(columns)} columns. {_SHAPES}")
    return dict(zip(map(str, columns), row, strict=True))


def _by_column(values: Mapping[str, list[Any]], name: str) -> Iterator[dict[str, Any]]:
    sizes = {len(column) for column in values.values()}
    if len(sizes) > 1 or any(isinstance(item, dict) for column in values.values() for item in column[:1]):
        shown = name_list(f"{key} ({len(column):,})" for key, column in values.items())
        raise DataError(f"{name}: holds one object of lists: {shown}. {_SHAPES}; so are columns of equal length")
    return (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))


def _by_index(values: Mapping[str, dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    """{COLUMN: {"0": value, ...}} or {"0": {COLUMN: value, ...}}: whichever has numbers for the rows."""
    inner = {key for column in values.values() for key in column}
    if inner and all(key.isdecimal() for key in inner):
        index = list(dict.fromkeys(key for column in values.values() for key in column))
        return ({name: column.get(i) for name, column in values.items()} for i in index)
    if all(key.isdecimal() for key in values):
        return iter(values.values())
    raise DataError(f"{name}: holds one object of objects: {name_list(values)}. {_SHAPES}")
