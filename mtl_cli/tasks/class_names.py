"""Data sets that name their own classes: a raw label is then an id in their order, which need not be the task's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtl_cli.errors import DataError
from mtl_cli.tasks.kinds.base import Kind
from mtl_cli.tasks.kinds.column import number, plain
from mtl_cli.tasks.rows import Row, name_list


def rows_by_name(
    rows: Iterator[Row], names: Sequence[str], label: str, kind: Kind, of: str, keys: str
) -> Iterator[Row]:
    """Rows with the names of classes instead of their ids; a negative id is no label, as `datasets` has it.

    Args:
        rows: of the data set; labels that are no whole numbers, in whatever form, stay as they are; of a list, each item is read.
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
    read = _Names(names, label, kind, of, keys)
    for row in rows:
        raw = row.column(label, of) if row.has(label) else None
        value = [read(row, item) for item in raw] if isinstance(raw, list) else read(row, raw)
        yield row if value is raw else Row(row.where, {**row.values, label: value})


class _Names:
    """The name that a raw label stands for; the arguments are those of `rows_by_name`."""

    def __init__(self, names: Sequence[str], label: str, kind: Kind, of: str, keys: str) -> None:
        self._names, self._label, self._of, self._keys, self._kind = names, label, of, keys, kind
        self._known = [kind.has_name(name) for name in names]

    def __call__(self, row: Row, raw: object) -> object:
        """The name, None for no label, or what is no id as it is. Raises `DataError` for an id that no label goes with."""
        value = _id(raw, self._names)
        if value is None:
            return raw
        if value < 0:
            return None
        if value >= len(self._names):
            problem = f"column '{self._label}' holds class {value}, but the data set names {len(self._names)} classes"
            raise DataError(f"{row.where}: {problem}: {name_list(self._names)}")
        if not self._known[value]:
            raise DataError(_unknown(row, self._names, value, self._label, self._kind, self._of, self._keys))
        return self._names[value]


def _id(raw: object, names: Sequence[str]) -> int | None:
    """The id that a raw label is, however its column is stored (a gap makes floats of ids); None for a name and for what is no id."""
    value = plain(raw)
    if isinstance(value, bool):
        return int(value)
    exact = None if value in names else number(value)
    return None if exact is None or exact != int(exact) else int(exact)


def _unknown(row: Row, names: Sequence[str], value: int, label: str, kind: Kind, of: str, keys: str) -> str:
    theirs = f"the data itself names the classes of column '{label}': {name_list(names)}"
    ours = f"'{names[value]}' is none of the labels of {of}: {name_list(kind.classes)}"
    remedy = f"Give the labels these names, or set {keys}values=ids to read ids by the order of the labels"
    return f"{row.where}: {theirs}. {ours}. {remedy}"
