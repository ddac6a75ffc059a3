"""A task: a named data set with one kind of label."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from mtl_cli.tasks.formats.base import Options
from mtl_cli.tasks.inputs.base import Asked, Input
from mtl_cli.tasks.inputs.text import TextInput
from mtl_cli.tasks.kinds.base import Kind
from mtl_cli.tasks.matching import Matching


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
    hub_sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Those of the hub, where they differ from `sets`."""
    options: Options = field(default_factory=Options)
    """How files with delimiters are read."""


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
    input: Input = field(default_factory=TextInput)
    """How a row becomes what the model reads."""
    head: str | None = None
    """Name of the head, which other tasks may have too; None: a head of its own, of the task's name."""

    matching: Matching | None = None
    """How labelled texts become pairs; None: rows are read as they are."""

    @property
    def head_name(self) -> str:
        """Name of the head: the task's own unless it is told."""
        return self.head or self.name

    @property
    def asked(self) -> Asked:
        """What its input reads of a row."""
        return Asked(self.name, self.text, self.max_length)

    @property
    def raw_kind(self) -> Kind:
        """Kind of the labels in the source's rows: with `matching` not that of the task, which reads the pairs made of them."""
        return self.kind if self.matching is None else self.matching.kind

    def with_kind(self, kind: Kind) -> Task:
        """The same task with a fitted kind."""
        return dataclasses.replace(self, kind=kind)
