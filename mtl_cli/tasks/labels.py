"""The labels of some rows, read as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mtl_cli.errors import DataError
from mtl_cli.tasks.columns import Column, ColumnSpec
from mtl_cli.tasks.inputs.base import EncodedRow
from mtl_cli.tasks.kinds.base import Kind, TargetReader, Targets
from mtl_cli.tasks.kinds.column import AmbiguousLabelsError
from mtl_cli.tasks.rows import Row


def read_row(reader: TargetReader, row: Row, encoded: EncodedRow | None, column: str, task: str) -> tuple[Any, ...]:
    """What is stored for a row's label.

    Args:
        reader: has met the labels before it.
        row: the row.
        encoded: as the model gets it; None where labels alone are read.
        column: of the label.
        task: whose label it is.

    Raises:
        DataError: there is no such column, or no reading knows the label.
    """
    value = row.column(column, f"task '{task}'")
    try:
        return reader.read(value, encoded)
    except ValueError as error:
        raise DataError(f"{row.where}: column '{column}': {error}", task) from error


def read_targets(kind: Kind, rows: Iterator[Row], column: str, task: str, keys: str | None) -> Targets:
    """What the labels of some rows mean.

    Args:
        kind: of the labels.
        rows: are read once.
        column: of the label.
        task: whose labels they are.
        keys: what stands before the kind's options in a config, such as `tasks.nli.kind.`; None: there are no such keys.

    Raises:
        DataError: a label is unknown, or the column can be read in several ways.
    """
    reader = kind.reader()
    stored = [read_row(reader, row, None, column, task) for row in rows]
    codes = {name: assembled(spec, [one[at] for one in stored]) for at, (name, spec) in enumerate(kind.columns.items())}
    try:
        return kind.targets(reader.facts(), codes)
    except AmbiguousLabelsError as error:
        raise DataError(f"column '{column}': {error.sentence(keys)}", task) from error


def assembled(spec: ColumnSpec, rows: list[Any]) -> Column[np.ndarray]:
    """A column of some rows."""
    if not spec.ragged:
        return Column(np.array(rows, spec.dtype))
    values = np.concatenate([np.empty(0, spec.dtype), *(np.asarray(row, spec.dtype) for row in rows)])
    return Column(values, np.cumsum([0, *map(len, rows)]))
