"""A task's data set as the texts of a zero-shot question."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtl_cli.assemble.tasks import BoundTask, bind_tasks
from mtl_cli.config.schema import TaskConfig
from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.data.loader import chosen_rows
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.tasks.labels import read_targets
from mtl_cli.tasks.rows import Row
from mtl_cli.tasks.source import Origin, Places, origins
from mtl_cli.tasks.task import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskTexts:
    """The question with what the task says, and its rows."""

    config: ZeroshotConfig
    rows: Callable[[], Iterator[Row]]
    note: str
    """What a reader of a score must know about the data; empty for the real thing."""


def of_task(config: ZeroshotConfig) -> TaskTexts | None:
    """Read labels, columns and rows off the task that the question names; None if it names none.

    What the user says of labels and columns comes first. A task for label matching gives its phrases as the labels' words, and
    rows of labels without phrases are left out: no phrase is right for them.

    Raises:
        ConfigError: the task has no single text, or no classes.
        DataError: its rows are nowhere.
    """
    if not config.tasks:
        return None
    ((name, task),) = config.tasks.items()
    bound = _bound(name, config)
    root = Path(config.data.root).expanduser() if config.data.root else None
    places = Places(config.data.source, root, config.data.hub_timeout)
    found = origins(dataclasses.replace(bound.task, matching=None, kind=bound.task.raw_kind), config.split, places)
    notes = {one.note for one in found if one.note}
    told = ", ".join(f"{one.place} {one.path}" for one in found) + "".join(f" ({note})" for note in notes)
    log.info("texts    %s, %s: %s", name, config.split, told)
    labels = _labels(task, bound)
    left_out = [label for label, phrases in labels.items() if not phrases]
    if left_out:
        log.info("labels   rows of %s are left out: the task has no phrase for them", ", ".join(left_out))
    section = config.input
    column = task.label if section.label_column is None else section.label_column
    asked = dataclasses.replace(
        config,
        input=dataclasses.replace(section, text_column=task.text[0], label_column=column),
        labels=config.labels or _entries(labels),
    )
    named = _Named(bound.task, frozenset(left_out))
    rows = limited_rows(lambda: (row for one in found for row in named(one)), config.limit)
    return TaskTexts(asked, rows, "; ".join(sorted(notes)))


def _bound(name: str, config: ZeroshotConfig) -> BoundTask:
    faults: list[Fault] = []
    bound = bind_tasks(config.tasks, config.max_length, faults).get(name)
    if bound is not None and not faults:
        if len(bound.task.text) > 1 and bound.task.matching is None:
            pairs = (
                f"'{name}' reads pairs of texts, and a label belongs to one text: choose a task with one text column"
            )
            faults.append(Fault("task", pairs))
        if bound.task.kind.form != "classes":
            faults.append(Fault("task", f"'{name}' has {bound.task.kind.form}, not labels of whole texts"))
    if faults or bound is None:
        raise ConfigError(faults)
    return bound


def _labels(task: TaskConfig, bound: BoundTask) -> dict[str, list[str]]:
    """Raw label -> its phrases, in the order of the ids."""
    if task.matching is not None:
        return task.matching.phrases()
    return {label: [label] for label in bound.task.kind.classes}


def _entries(labels: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for label, phrases in labels.items():
        if list(phrases) == [label]:
            entries[label] = None
        elif phrases:
            entries[label] = {"text": phrases[0], "words": list(phrases[1:])}
    return entries


def limited_rows(rows: Callable[[], Iterator[Row]], limit: int | None) -> Callable[[], Iterator[Row]]:
    """At most so many of the rows, in their order; the rows are counted first, and which they are follows from their number alone."""
    if limit is None:
        return rows
    count = sum(1 for _ in rows())
    chosen = frozenset(chosen_rows(np.arange(count), limit).tolist())
    return lambda: (row for i, row in enumerate(rows()) if i in chosen)


class _Named:
    """Rows of a set with labels by name; those of some labels are left out.

    Args:
        task: whose rows.
        left_out: labels.
    """

    def __init__(self, task: Task, left_out: frozenset[str]) -> None:
        self._task, self._left_out = task, left_out
        self._labels: dict[str, np.ndarray] = {}

    def __call__(self, origin: Origin) -> Iterator[Row]:
        column, kind = self._task.label, self._task.raw_kind
        first = next(origin.rows(), None)
        if first is None or not first.has(column):
            yield from origin.rows()
            return
        for row, label in zip(origin.rows(), self._read(origin).tolist(), strict=True):
            name = kind.shown(label)
            if name not in self._left_out:
                yield Row(row.where, {**row.values, column: name})

    def _read(self, origin: Origin) -> np.ndarray:
        """Labels of all rows; read once."""
        if origin.set_name not in self._labels:
            task = self._task
            keys = f"+tasks.{task.name}.kind."
            found = read_targets(task.raw_kind, origin.rows(), task.label, task.name, keys)
            self._labels[origin.set_name] = task.raw_kind.gold(found.columns)
            if found.reading.meaning or found.reading.no_label:
                log.info("labels   %s, %s: read as %s", task.name, origin.set_name, found.reading.line)
        return self._labels[origin.set_name]
