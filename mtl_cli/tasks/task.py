"""A task: a named data set with one kind of label."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from mtl_cli.tasks.kinds.base import Kind


@dataclass(frozen=True)
class Source:
    """Where a task's rows can be found; which of the places is used is decided in `tasks.source`."""

    hub: str | None
    subset: str | None
    folder: str
    bundled: str | None
    files: Mapping[str, str]
    sets: Mapping[str, tuple[str, ...]]
    """The source's own split names for each of train, validation, test."""


@dataclass(frozen=True)
class Task:
    """One data set read as one task."""

    name: str
    kind: Kind
    text: tuple[str, ...]
    """Columns of the text, or of the pair."""
    label: str
    """Column of the label."""
    metrics: tuple[str, ...]
    source: Source
    max_length: int
    """Tokens a row."""

    def with_kind(self, kind: Kind) -> Task:
        """The same task with a fitted kind."""
        return dataclasses.replace(self, kind=kind)
