"""No label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from mtl_cli.tasks.columns import BatchColumns, Column, Columns, ColumnSpec
from mtl_cli.tasks.inputs.base import EncodedRow
from mtl_cli.tasks.kinds.base import HeadSpec, Kind, Predictions, Targets
from mtl_cli.tasks.kinds.column import Reading

_NONE = "none"
"""A column that says how many rows there are."""


class Unlabelled(Kind):
    """Texts alone, for an objective that needs no label; such a task has no score."""

    name = "unlabelled"
    form = "nothing"
    columns: ClassVar[Mapping[str, ColumnSpec]] = {_NONE: ColumnSpec("uint8")}

    @property
    def head(self) -> HeadSpec:
        """None: its objective asks for one."""
        raise ValueError("a task without labels needs an objective with a head of its own, such as objective: mlm")

    def has_name(self, name: str) -> bool:  # noqa: ARG002
        """None is."""
        return False

    def reader(self) -> NoReader:
        """Reads nothing."""
        return NoReader()

    def targets(
        self, facts: Sequence[Mapping[str, Any]], codes: Columns, train: Reading | None = None  # noqa: ARG002
    ) -> Targets:  # fmt: skip
        """Nothing."""
        return Targets(codes, Reading("none"))

    def labelled(self, targets: Columns) -> np.ndarray:
        """No row is."""
        return np.zeros(len(targets[_NONE]), bool)

    def loss(self, out: Column[Tensor], targets: BatchColumns) -> Tensor:
        """There is none."""
        raise NotImplementedError("rows without labels have no loss of their own")

    def decode(self, out: Column[np.ndarray], arrays: Columns) -> Predictions:
        """There is none."""
        raise NotImplementedError("rows without labels have no predictions")

    def gold(self, targets: Columns) -> np.ndarray:
        """NaN."""
        return np.full(len(targets[_NONE]), np.nan)

    def shown(self, value: Any) -> None:  # noqa: ARG002
        """Nothing."""
        return

    def parsed(self, shown: Any) -> Any:
        """Refused."""
        raise ValueError(f"is of a task without labels: {shown!r}")

    def described(self, targets: Columns) -> str:  # noqa: ARG002
        """That there are none."""
        return "none"


class NoReader:
    """Reads nothing."""

    def read(self, value: object, row: EncodedRow | None) -> tuple[int]:  # noqa: ARG002
        """That there is a row."""
        return (0,)

    def facts(self) -> list[dict[str, Any]]:
        """Nothing."""
        return []
