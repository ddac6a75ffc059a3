"""A text per line."""

from __future__ import annotations

from collections.abc import Iterator

from mtl_cli.tasks.formats.base import TextSource
from mtl_cli.tasks.rows import Row


def rows(source: TextSource) -> Iterator[Row]:
    """Rows with the one column `text`; empty lines are skipped."""
    for number, line in enumerate(source.text(), start=1):
        text = line.rstrip("\r\n")
        if text and not text.isspace():
            yield Row(f"{source.name}:{number}", {"text": text})
