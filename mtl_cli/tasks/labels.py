"""The label column of some rows, read as a whole."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from mtl_cli.errors import DataError
from mtl_cli.tasks.kinds.base import Kind
from mtl_cli.tasks.kinds.column import AmbiguousLabelsError, Column, Labels
from mtl_cli.tasks.rows import Row


def code_of(labels: Column, row: Row, column: str, task: str) -> float:
    """Code of a row's raw label.

    Args:
        labels: that were met before it.
        row: the row.
        column: of the label.
        task: whose label it is.

    Raises:
        DataError: there is no such column, or no reading knows the label.
    """
    value = row.column(column, f"task '{task}'")
    try:
        return labels.code(value)
    except ValueError as error:
        raise DataError(f"{row.where}: column '{column}': {error}", task) from error


def read_labels(kind: Kind, rows: Iterator[Row], column: str, task: str, keys: str | None) -> tuple[np.ndarray, Labels]:
    """The labels of some rows, and how they were read.

    Args:
        kind: of the labels.
        rows: are read once.
        column: of the label; rows may lack it together.
        task: whose labels they are.
        keys: what stands before the kind's options in a config, such as `tasks.nli.kind.`; None: there are no such keys.

    Returns:
        Labels, float32, NaN for none, and what the codes of the column mean.

    Raises:
        DataError: a label is unknown, or the column can be read in several ways.
    """
    labels, codes = kind.column(), array("f")
    for row in rows:
        codes.append(code_of(labels, row, column, task))
    codes_N = np.frombuffer(codes, np.float32) if codes else np.empty(0, np.float32)
    try:
        read = kind.read(labels.facts(), codes_N)
    except AmbiguousLabelsError as error:
        raise DataError(f"column '{column}': {error.sentence(keys)}", task) from error
    return read.of(codes_N), read
