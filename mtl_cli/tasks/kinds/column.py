"""A column of raw labels: one canonical form for each value whatever the file's format, and how the column as a whole is read.

A CSV writes a class id as `1`, a table with a gap in it as `1.0`, JSON as 1 or "1", Parquet as a 64-bit integer: all of these are
one value here.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from mtl_cli.tasks.clean import clean

_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)
_SHOWN = 60
"""Characters of a raw value in a message."""


@dataclass(frozen=True)
class Reading:
    """What the raw labels of one column mean. It is recorded with the rows, so that nothing has to guess it again."""

    values: str
    """names | ids | booleans | numbers | none (no row has a label)."""
    meaning: Mapping[str, str] = field(default_factory=dict)
    """Raw value -> label, where the value does not say so itself."""
    no_label: Mapping[str, int] = field(default_factory=dict)
    """Raw value that counts as no label -> its rows; nulls and empty texts are not listed."""
    complete: bool = False
    """Whether every label of the set occurs, so that a value outside it, such as -1, can be no class."""

    @property
    def line(self) -> str:
        """The reading in one line."""
        listed = [f"{raw} is {label}" for raw, label in self.meaning.items()]
        gone = [f"{raw} is not a label ({row_count(rows)})" for raw, rows in self.no_label.items()]
        shown = [*listed[:6], *(["..."] if len(listed) > 6 else []), *gone]
        return f"{self.values}: {', '.join(shown)}" if shown else self.values

    def record(self) -> dict[str, Any]:
        """The reading as plain JSON values."""
        return asdict(self)


class AmbiguousLabelsError(ValueError):
    """A column of labels can be read in more than one way, or cannot be read in one way throughout.

    Args:
        problem: what was found, with the readings.
        remedies: option of the kind, and the value that decides: `("values", "ids")`.
    """

    def __init__(self, problem: str, remedies: Sequence[tuple[str, str]]) -> None:
        self.problem, self.remedies = problem, tuple(remedies)
        super().__init__(self.sentence("kind."))

    def __reduce__(self) -> tuple[type[AmbiguousLabelsError], tuple[str, tuple[tuple[str, str], ...]]]:
        return type(self), (self.problem, self.remedies)

    def sentence(self, prefix: str | None) -> str:
        """The message with the full keys.

        Args:
            prefix: what stands before the option's name in its key, such as `tasks.nli.kind.`; None: there is no such key.
        """
        if prefix is None:
            return f"{self.problem}. Write the names of the labels"
        ways = " or ".join(f"{prefix}{option}={value}" for option, value in self.remedies)
        return f"{self.problem}. To decide, set {ways}" if ways else self.problem


def contradiction(train: Reading, other: Reading) -> AmbiguousLabelsError | None:
    """A refusal where ids of one set stand for other labels than in the training rows, since one of both files names its classes."""
    if {train.values, other.values} != {"names", "ids"}:
        return None
    known = {exact: label for raw, label in train.meaning.items() if (exact := number(raw)) is not None}
    here = {exact: label for raw, label in other.meaning.items() if (exact := number(raw)) is not None}
    differ = [exact for exact, label in here.items() if known.get(exact, label) != label]
    if not differ:
        return None
    readings = ", ".join(
        f"{exact} is {here[exact]} here and {known[exact]} in the training rows" for exact in differ[:6]
    )
    problem = f"the class names that come with one of the files contradict the order of the labels: {readings}"
    return AmbiguousLabelsError(
        f"{problem}. Write names instead of ids into the file without class names", [("values", "ids")]
    )


class Values:
    """Labels that mean the same whatever else stands in their column: each code is the label itself.

    Args:
        encode: a raw label as a float; NaN for none.
    """

    def __init__(self, encode: Callable[[object], float]) -> None:
        self._encode = encode

    def code(self, value: object) -> float:
        """The label. Raises `ValueError` for what is none."""
        return self._encode(value)

    def facts(self) -> list[dict[str, Any]]:
        """Nothing: there are no codes."""
        return []


def plain(value: object) -> object:
    """A scalar of numpy or Arrow as Python's own, bytes as text; NaN as None."""
    for convert in ("as_py", "item"):
        if not isinstance(value, str | int | float) and callable(getattr(value, convert, None)):
            value = getattr(value, convert)()
    if isinstance(value, bytes):
        with contextlib.suppress(UnicodeDecodeError):
            return value.decode()
    return None if isinstance(value, float | Decimal) and value != value else value


def is_missing(value: object) -> bool:
    """Whether a plain value is no label in any column: null, NaN (also as a text), or a text without a visible character."""
    return value is None or (isinstance(value, str) and clean(value).lower() in ("", "nan"))


def number(value: object) -> Decimal | None:
    """A plain value as an exact number, also one that is written as text; None for what is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float | Decimal):
        exact = Decimal(str(value))
        return exact if exact.is_finite() else None
    text = clean(value) if isinstance(value, str) else ""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def truth(value: object) -> bool | None:
    """A plain value as a boolean, also one that is written as text; None for what is none."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(clean(value).lower()) if isinstance(value, str) else None


def spellings(value: object) -> list[str]:
    """The texts that a plain value may stand for as a name."""
    if isinstance(value, bool):
        return [str(value)]
    if isinstance(value, float | Decimal) and number(value) is not None and value == int(value):
        return [str(value), str(int(value))]
    return [str(value)] if isinstance(value, str | int | float | Decimal) else []


def shown(value: object) -> str:
    """A raw value in a message."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def spelled(value: object) -> str:
    """A raw value as a file writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    exact = None if isinstance(value, str) else number(value)
    return str(value) if exact is None or exact != int(exact) else str(int(exact))


def row_count(rows: int) -> str:
    """A number of rows in a message."""
    return f"{rows:,} row" if rows == 1 else f"{rows:,} rows"


def look_alike(text: str, names: Iterable[str]) -> str:
    """A sentence with the code points of a text and of the name that looks the same; empty if none does."""
    for name in names:
        if name != text and _glyphs(name) == _glyphs(text):
            return f"It looks like '{name}' but is written with other characters: {code_points(text)}, not {code_points(name)}."
    return ""


def code_points(text: str) -> str:
    """The characters of a text as code points; of a long one the first."""
    points = [f"U+{ord(c):04X}" for c in text]
    return " ".join(points[:24]) + (" ..." if len(points) > 24 else "")


# Letters of other scripts that are drawn as Latin ones, and dashes: code points, each with what it is drawn as.
_DRAWN = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u04bb\u051b\u051d\u0475\u0410\u0412\u0415\u041a\u041c\u041d\u041e"
    "\u0420\u0421\u0422\u0425\u0406\u0408\u0405\u0423\u03bf\u03b1\u03bd\u03c1\u03b9\u03ba\u03c5\u0391\u0392\u0395\u0396\u0397\u0399\u039a"
    "\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u2010\u2011\u2012\u2013\u2014\u2212\u2018\u2019\u0131",
    "aeopcyxijsdhqwvABEKMHOPCTXIJSYoavpikuABEZHIKMNOPTYX------''i",
)


def _glyphs(text: str) -> str:
    return clean(unicodedata.normalize("NFKC", clean(text)).translate(_DRAWN))
