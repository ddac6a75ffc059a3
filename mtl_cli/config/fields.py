"""Rules that fields of several config classes keep."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mtl_cli.errors import Fault


def is_name(text: str) -> bool:
    """Letters, digits, '_' and '-' alone."""
    return text.replace("_", "").replace("-", "").isalnum()


def positive(config: object, *names: str) -> Iterator[Fault]:
    """Yield a fault for each field that is a number and not above 0."""
    for name in names:
        value = getattr(config, name, None)
        if value is not None and not 0 < value < math.inf:
            yield Fault(name, f"must be more than 0; found {value}")


def length_faults(config: object) -> Iterator[Fault]:
    """A row needs room for the special tokens of a pair and a word of each text."""
    value = getattr(config, "max_length", None)
    if value is not None and value < 8:
        yield Fault("max_length", f"must be at least 8 tokens; found {value}")


def not_negative(config: object, *names: str) -> Iterator[Fault]:
    """Yield a fault for each field that is a number below 0."""
    for name in names:
        value = getattr(config, name, None)
        if value is not None and not 0 <= value < math.inf:
            yield Fault(name, f"must be 0 or more; found {value}")


def fractions(config: object, *names: str) -> Iterator[Fault]:
    """Yield a fault for each field that is a number and not between 0 and 1."""
    for name in names:
        value = getattr(config, name, None)
        if value is not None and not 0 < value < 1:
            yield Fault(name, f"must lie between 0 and 1; found {value:g}")


def delimiter_faults(config: object) -> Iterator[Fault]:
    """A delimiter is one character, and none that ends a line or quotes a field."""
    value = getattr(config, "delimiter", None)
    if value is not None and (len(value) != 1 or value in '"\r\n\0'):
        yield Fault("delimiter", f"must be one character, such as ';' or \"\\t\" for tab; found {value!r}")
