"""ConceptNet's dump of assertions, read once from front to back."""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from mtl_cli.errors import DataError

log = logging.getLogger(__name__)

_TOLD = 5_000_000
"""Lines between messages: the whole dump has 34 million."""


@dataclass(frozen=True)
class Edge:
    """An assertion about two terms of one language."""

    relation: str
    """Such as `IsA`."""
    start: str
    """Its words, with spaces."""
    end: str
    weight: float
    """How well it is supported: 1 is one source."""


def edges(path: Path, language: str, terms: Collection[str]) -> Iterator[Edge]:
    """The assertions in which one of the terms stands.

    Args:
        path: lines of URI, relation, start, end and JSON with a weight, tabs between them; compressed if it ends in `.gz`.
        language: of both terms, such as `en`.
        terms: in lower case, with spaces.

    Raises:
        DataError: the file cannot be read, or no line is an assertion.
    """
    wanted = {f"/c/{language}/{term.replace(' ', '_')}".encode() for term in terms}
    # Most lines are of other terms: they are not taken apart further than this.
    mark = f"/c/{language}/".encode()
    broken: list[int] = []
    number = 0
    for number, line in enumerate(_lines(path), start=1):
        if number % _TOLD == 0:
            log.info("conceptnet %s lines read", f"{number:,}")
        fields = line.rstrip(b"\r\n").split(b"\t")
        if len(fields) != 5:
            broken.append(number)
            continue
        both = fields[2].startswith(mark) and fields[3].startswith(mark)
        if both and wanted & {_uri(fields[2]), _uri(fields[3])}:
            edge = _edge(fields)
            if edge is None:
                broken.append(number)
            else:
                yield edge
    if broken:
        told = f"{path}: {len(broken):,} of {number:,} lines are no assertions, the first is line {broken[0]:,}"
        if len(broken) == number:
            raise DataError(
                f"{told}. It must hold five columns with tabs between them: URI, relation, start, end, JSON"
            )
        log.warning("%s; they were passed over", told)


def _lines(path: Path) -> Iterator[bytes]:
    opened = gzip.open if path.suffix == ".gz" else Path.open
    try:
        with cast("IO[bytes]", opened(path, "rb")) as stream:
            yield from stream
    except (OSError, EOFError, zlib.error) as error:  # the last two: compressed data that is cut off or damaged
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _uri(field: bytes) -> bytes:
    """`/c/en/car/n/wn/artifact` -> `/c/en/car`."""
    return b"/".join(field.split(b"/", 4)[:4])


def _edge(fields: list[bytes]) -> Edge | None:
    try:
        weight = float(json.loads(fields[4])["weight"])
        relation = fields[1].decode("utf-8").rpartition("/")[2]
        start, end = (_uri(field).decode("utf-8").split("/")[3].replace("_", " ") for field in fields[2:4])
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return Edge(relation, start, end, weight) if weight > 0 else None
