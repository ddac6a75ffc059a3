"""Data sets that name their own classes: a raw label is then an id in their order, which need not be the task's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtl_cli.errors import DataError
from mtl_cli.tasks.kinds.base import Kind
from mtl_cli.tasks.rows import Row, name_list


def rows_by_name(
    rows: Iterator[Row], names: Sequence[str], label: str, kind: Kind, of: str, keys: str
) -> Iterator[Row]:
    """Rows with the names of classes instead of their ids; a negative id is no label, as `datasets` has it.

    Args:
        rows: of the data set; labels that are no whole numbers stay as they are.
        names: of its classes, in the order of its ids; none: rows stay as they are.
        label: column of the label.
        kind: of the task's raw labels.
        of: who reads them, for messages.
        keys: what stands before the kind's options in a config, such as `tasks.nli.kind.`.

    Raises:
        DataError: an id has no name, or the kind does not know its name.
    """
    if not names or not kind.takes_class_names:
        yield from rows
        return
    known = [kind.has_name(name) for name in names]
    for row in rows:
        value = row.column(label, of) if row.has(label) else None
        if not isinstance(value, int) or isinstance(value, bool):
            yield row
            continue
        if value >= len(names):
            raise DataError(
                f"{row.where}: column '{label}' holds class {value}, but the data set names {len(names)} classes: {name_list(names)}"
            )
        if value >= 0 and not known[value]:
            raise DataError(_unknown(row, names, value, label, kind, of, keys))
        yield Row(row.where, {**row.values, label: names[value] if value >= 0 else None})


def _unknown(row: Row, names: Sequence[str], value: int, label: str, kind: Kind, of: str, keys: str) -> str:
    theirs = f"the data itself names the classes of column '{label}': {name_list(names)}"
    ours = f"'{names[value]}' is none of the labels of {of}: {name_list(kind.classes)}"
    remedy = f"Give the labels these names, or set {keys}values=ids to read ids by the order of the labels"
    return f"{row.where}: {theirs}. {ours}. {remedy}"
