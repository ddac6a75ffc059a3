"""A row of a data set, and how its columns are read. Values keep the types that the file gives them."""

from __future__ import annotations

import datetime
import decimal
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mtl_cli.errors import DataError, Suggestion

MAX_TEXT = 10_000_000
"""Characters of one text; the longest novels have three million."""
_SHOWN_NAMES = 20
_SHOWN_LETTERS = 60


@dataclass(frozen=True)
class Row:
    """One row and where it stands."""

    where: str
    """Such as `train.csv:12`, for messages."""
    values: Mapping[str, Any]

    def column(self, name: str, of: str) -> Any:
        """The value of a column. `a.b` is member b of column a where no column is called `a.b`; `a.0` is an item of a list.

        Raises:
            DataError: there is no such column; names those that there are.
        """
        if name in self.values:
            return self.values[name]
        value: Any = self.values
        for part in name.split("."):
            if value is None:  # a member of a missing value is missing
                return None
            try:
                value = _member(value, part)
            except LookupError as error:
                raise DataError(self._missing(name, of)) from error
        return value

    def has(self, name: str) -> bool:
        """Whether `column` finds a column or member of this name."""
        if name in self.values:
            return True
        try:
            self.column(name, "")
        except DataError:
            return False
        return True

    def _missing(self, name: str, of: str) -> str:
        hint = Suggestion.of(name, map(str, self.values)).if_close
        here = f"Columns here: {name_list(self.values)}{'. ' if hint else ''}{hint}"
        return f"{self.where}: {of} reads column '{name}', which is missing. {here}"


def _member(value: Any, part: str) -> Any:
    """A member of a mapping or an item of a list. Raises `LookupError` if there is none."""
    if isinstance(value, Mapping):
        return value[part]
    if isinstance(value, list) and part.isdecimal():
        return value[int(part)]
    raise LookupError(part)


def name_list(names: Iterable[Any]) -> str:
    """Names for a message, each once; long names and long lists end in `...`."""
    unique = list(itertools.islice(dict.fromkeys(map(str, names)), _SHOWN_NAMES + 1))
    shown = [name if len(name) <= _SHOWN_LETTERS else f"{name[:_SHOWN_LETTERS]}..." for name in unique[:_SHOWN_NAMES]]
    return ", ".join([*shown, "..."] if len(unique) > _SHOWN_NAMES else shown) or "none"


def is_missing(value: object) -> bool:
    """Whether a value is missing in the way of its format: null, or the NaN that pandas writes for it."""
    return value is None or (isinstance(value, float | decimal.Decimal) and math.isnan(value))


def text_of(row: Row, column: str, of: str) -> str:
    """The text in a column. Numbers, truth values, dates and times are as `str` and pandas write them; bytes are UTF-8.

    An empty text is a text, whatever the format: an empty field of a CSV too.

    Raises:
        DataError: there is no such column, or its value is missing (null, NaN), infinite, a list, a mapping, too long, or no
            Unicode.
    """
    value = row.column(column, of)
    text = value if type(value) is str else _written(value, row, column, of)
    if len(text) > MAX_TEXT:
        problem = f"holds a text of {len(text):,} characters; at most {MAX_TEXT:,} are read"
        raise DataError(f"{row.where}: column '{column}' {problem}. Cut it, or split it into several rows")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            problem = "holds half of a Unicode character (a lone surrogate)"
            raise DataError(f"{row.where}: column '{column}' {problem}") from error
    return text


_WRITTEN = (str, int, float, decimal.Decimal, datetime.date, datetime.time, datetime.timedelta)
"""Types whose `str` is what a file of text would hold; a datetime is a date."""


def _written(value: object, row: Row, column: str, of: str) -> str:
    where = f"{row.where}: column '{column}'"
    if is_missing(value):
        found = "null" if value is None else "NaN, a missing value"
        raise DataError(f"{where} is {found}; {of} needs a text there. Leave such rows out, or fill them in")
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"{where} holds bytes that are not UTF-8 ({error.reason}); {of} needs a text there"
            ) from error
    if isinstance(value, float | decimal.Decimal) and math.isinf(value):
        raise DataError(f"{where} is infinite ({value}); {of} needs a text there")
    if isinstance(value, _WRITTEN):
        return str(value)
    raise DataError(f"{where} holds {_kind_of(value, column)}; {of} needs a text there")


def _kind_of(value: object, column: str) -> str:
    if isinstance(value, dict) and value:
        return f"a mapping of {name_list(value)} (name a member, such as {column}.{name_list([next(iter(value))])})"
    return _KINDS.get(type(value), f"a {type(value).__name__}")


_KINDS: dict[type, str] = {list: "a list", dict: "an empty mapping"}
