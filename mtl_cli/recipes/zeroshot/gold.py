"""Gold labels of the texts of `mtl zeroshot`: how the column is read is decided once, by the code that reads training labels."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mtl_cli.config.schema_zeroshot import InputSection
from mtl_cli.errors import ConfigError, DataError, Fault
from mtl_cli.tasks.kinds.classification import ClassColumn, Classification
from mtl_cli.tasks.kinds.column import AmbiguousLabelsError, Reading
from mtl_cli.tasks.rows import Row
from mtl_cli.zeroshot.labels.label_set import cell_labels

log = logging.getLogger(__name__)

KEYS = "input.label_"
"""What stands before the options of the kind in the config."""
_SETS = 1024
"""Label sets of rows that are kept at hand."""
_FLAGS = "the lists can be read in more than one way: as the labels that apply, and as yes or no to each label"
_Cell = tuple[Row, object, tuple[str, ...]]
"""A row, its raw gold label or labels, and the labels that its text may get."""


class GoldLabels:
    """Reads gold labels; what it has to go by are the rows that `decide` is given.

    Args:
        section: column and options.
        column: that holds them.
        several: whether a text may have several.
    """

    def __init__(self, section: InputSection, column: str, *, several: bool) -> None:
        self._section, self._column, self._several = section, column, several
        self._reading: Reading | None = None
        self.kind = functools.lru_cache(_SETS)(self._kind)

    @property
    def is_decided(self) -> bool:
        """Whether it is known how they are read."""
        return self._reading is not None

    def _kind(self, names: tuple[str, ...]) -> Classification:
        """What a gold label may be, for a text with these labels. Raises `ConfigError` for options that do not fit them."""
        if len(names) < 2:  # one label alone: whether it fits
            names = (*names, f"not {names[0]}")
        given = self._section
        try:
            return Classification(
                labels=list(names), values=given.label_values, ids=given.label_ids, missing=given.label_missing
            )
        except ValueError as error:
            raise ConfigError([Fault("labels", str(error))]) from error

    def decide(self, cells: Iterable[_Cell]) -> None:
        """Find how the column is read.

        Raises:
            DataError: a label is unknown, or the column can be read in several ways.
        """
        columns: dict[tuple[str, ...], tuple[ClassColumn, Counter[int]]] = {}
        are_flags: bool | None = None
        for cell in cells:
            row, value, names = cell
            are_flags = are_flags is not False and self._may_be_flag(cell)
            if names not in columns and len(columns) < _SETS:
                columns[names] = (self.kind(names).column(), Counter())
            if names in columns:
                column, rows = columns[names]
                rows.update(self._coded(row, value, names, column))
        try:
            if are_flags and self._section.label_values is None and self._section.label_ids is None:
                raise AmbiguousLabelsError(_FLAGS, [("values", "ids")])
            self._reading = self._decided(columns)
        except AmbiguousLabelsError as error:
            raise DataError(f"gold labels, column '{self._column}': {error.sentence(KEYS)}") from error
        self._report(self._reading)

    def _decided(self, columns: Mapping[tuple[str, ...], tuple[ClassColumn, Counter[int]]]) -> Reading:
        """The one reading; where texts have label sets of their own, that of the sets whose labels are clear goes for all."""
        counted = {
            names: [(column.values[code], rows) for code, rows in counts.items()]
            for names, (column, counts) in columns.items()
        }
        if counted and self._section.label_column is None:
            log.info("gold     column '%s' is read as the gold label", self._column)
        if len(counted) == 1:
            ((names, values),) = counted.items()
            return self.kind(names).decided(values, None)
        clear: dict[str, Reading] = {}
        open_sets = []
        for names, values in counted.items():
            try:
                reading = self.kind(names).decided(values, None)
                clear[reading.values] = Reading(reading.values)
            except AmbiguousLabelsError:
                open_sets.append(names)
        chosen = [reading for values, reading in clear.items() if values != "none"]
        if len(chosen) > 1:
            found = " and ".join(sorted(reading.values for reading in chosen))
            raise AmbiguousLabelsError(f"some are {found}: write all of them alike", [])
        for names in open_sets:
            self.kind(names).decided(counted[names], chosen[0] if chosen else None)
        return chosen[0] if chosen else Reading("none")

    def of(self, row: Row, value: object, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """The gold labels of a text by name, in the order of its labels; None if it has none.

        Raises:
            DataError: a label is unknown, or contradicts how the labels before it were read.
        """
        assert self._reading is not None
        kind = self.kind(names)
        found = set()
        for cell in self._cells(row, value, names) or (None,):
            try:
                found.add(kind.as_read(cell, self._reading))
            except AmbiguousLabelsError as error:
                raise self._error(row, error.sentence(KEYS)) from error
            except ValueError as error:
                raise self._error(row, str(error)) from error
        known = tuple(name for i, name in enumerate(names) if float(i) in found)
        return None if not known and any(map(math.isnan, found)) and not self._is_empty_list(value) else known

    def _is_empty_list(self, value: object) -> bool:
        return self._several and (value == [] or (isinstance(value, str) and value.strip() == "[]"))

    def _coded(self, row: Row, value: object, names: tuple[str, ...], column: ClassColumn) -> list[int]:
        try:
            return [column.code(cell) for cell in self._cells(row, value, names)]
        except ValueError as error:
            raise self._error(row, str(error)) from error

    def _cells(self, row: Row, value: object, names: Sequence[str]) -> tuple[object, ...]:
        """The raw labels in one cell."""
        if not self._several:
            return (value,)
        try:
            return cell_labels(value, names) or ()
        except ValueError as error:
            raise DataError(f"{row.where}: column '{self._column}', {error}") from error

    def _may_be_flag(self, cell: _Cell) -> bool:
        """Whether a list may say yes or no to each label. One with the same flag twice is no list of labels and refused as such."""
        row, value, names = cell
        found = set(self._cells(row, value, names)) if self._several and isinstance(value, list | str) else set()
        return len(names) == 2 and found in ({"true", "false"}, {"0", "1"}) and not found <= set(names)

    def _error(self, row: Row, problem: str) -> DataError:
        return DataError(f"{row.where}: column '{self._column}', gold {problem}")

    def _report(self, reading: Reading) -> None:
        if reading.values in ("ids", "booleans") and self._section.label_values is None and not self._section.label_ids:
            log.warning(
                "gold labels are %s, read by the order of the labels: %s. If they mean others, order --labels so, or set %svalues",
                reading.values, dataclasses.replace(reading, values="").line.removeprefix(": "), KEYS,
            )  # fmt: skip
        elif reading.no_label or reading.meaning:
            log.info("gold     read as %s", reading.line)
