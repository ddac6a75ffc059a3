"""Kinds whose label is one number a row: the index of a class, or a value. Legend: N rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from mtl_cli.tasks.columns import Columns, ColumnSpec
from mtl_cli.tasks.inputs.base import EncodedRow
from mtl_cli.tasks.kinds.base import Kind

LABEL = "label"
"""The column, float32; NaN is no label."""


class Coded(Protocol):
    """Gives raw labels numbers."""

    def code(self, value: object) -> float:
        """The number of a raw label. Raises `ValueError` for what is none."""

    def facts(self) -> list[dict[str, Any]]:
        """See `TargetReader.facts`."""


class SingleReader:
    """Reads one number a row.

    Args:
        codes: gives it.
    """

    def __init__(self, codes: Coded) -> None:
        self._codes = codes

    def read(self, value: object, row: EncodedRow | None) -> tuple[float]:  # noqa: ARG002
        """The number alone."""
        return (self._codes.code(value),)

    def facts(self) -> list[dict[str, Any]]:
        """Those of the codes."""
        return self._codes.facts()


class SingleLabel(Kind):
    """One number a row."""

    columns: ClassVar[Mapping[str, ColumnSpec]] = {LABEL: ColumnSpec("float32")}

    @abstractmethod
    def column(self) -> Coded:
        """What gives the raw labels of one set their numbers."""

    def has_name(self, name: str) -> bool:
        """Whether it has a number."""
        try:
            self.column().code(name)
        except ValueError:
            return False
        return True

    def reader(self) -> SingleReader:
        """Reads one number a row."""
        return SingleReader(self.column())

    def labelled(self, targets: Columns) -> np.ndarray:
        """Whether the number is one."""
        return ~np.isnan(targets[LABEL].values)

    def gold(self, targets: Columns) -> np.ndarray:
        """The numbers, float64; NaN for no label."""
        return np.asarray(targets[LABEL].values, np.float64)

    def known(self, targets: Columns) -> np.ndarray:
        """The numbers of the rows that have one, float32."""
        labels_N = np.asarray(targets[LABEL].values)
        return labels_N[~np.isnan(labels_N)]
