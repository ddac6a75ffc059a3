"""One number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from torch import Tensor

from mtl_cli.tasks.columns import BatchColumns, Column, Columns
from mtl_cli.tasks.kinds.base import HeadSpec, Predictions, Targets
from mtl_cli.tasks.kinds.column import Reading, Values, is_missing, number, plain, shown
from mtl_cli.tasks.kinds.single import LABEL, SingleLabel

_LARGEST = float(np.finfo(np.float32).max)


class Regression(SingleLabel):
    """Each row has one number; squared error on scaled targets, predictions in the targets' own units.

    Args:
        scale: how targets enter the loss. `standard`: (y - mean) / standard deviation of the training split, so that a
            constant guess has loss 1, near that of an undecided classifier; `range`: (y - min) / (max - min); `none`:
            as they are (raw 1-5 targets drown the other tasks' losses).
        missing: the number that stands for "no label", such as GLUE's -1; None if there is none. Null, NaN and
            a text without a visible character are "no label" always.
    """

    name = "regression"
    form = "numbers"

    # Defaults here and not in a YAML: a kind stands inside a task, which users write from nothing.
    def __init__(
        self, *, scale: Literal["standard", "range", "none"] = "standard", missing: float | None = None
    ) -> None:
        self._scale, self._missing = scale, missing
        self._shift = 0.0
        self._width = 1.0

    @property
    def head(self) -> HeadSpec:
        """One output."""
        return HeadSpec(1)

    @property
    def signature(self) -> list[object]:
        """The number that is no label, if there is one."""
        return [] if self._missing is None else [self._missing]

    def column(self) -> Values:
        """Each number is read by itself."""
        return Values(self._number)

    def targets(
        self, facts: Sequence[Mapping[str, Any]], codes: Columns, train: Reading | None = None  # noqa: ARG002
    ) -> Targets:  # fmt: skip
        """The numbers as they are."""
        return Targets(codes, Reading("numbers"))

    def _number(self, raw: object) -> float:
        """The number; NaN for none. Raises `ValueError` for what is not a finite number."""
        value = plain(raw)
        if is_missing(value):
            return math.nan
        exact = number(value)
        if exact is None or not math.isfinite(found := float(exact)):
            raise ValueError(f"label {shown(value)} is not a finite number{_remedy(value)}")
        if abs(found) > _LARGEST and found != self._missing:
            raise ValueError(
                f"label {shown(value)} is beyond {_LARGEST:g}, the largest 32-bit float: write it in a larger unit"
            )
        return math.nan if found == self._missing else found

    def fitted(self, targets: Columns) -> Regression:
        """With the scale of the training labels. Raises `ValueError` if they are all equal."""
        known = self.known(targets).astype(np.float64)
        if self._scale == "none" or known.size == 0:
            return self
        shift, width = (known.mean(), known.std()) if self._scale == "standard" else (known.min(), np.ptp(known))
        if width == 0:
            raise ValueError(f"all {known.size} training targets are {known[0]:g}: there is nothing to learn")
        return self.restored({"shift": float(shift), "width": float(width)})

    def state(self) -> dict[str, Any]:
        """Shift and width of the scaling."""
        return {"shift": self._shift, "width": self._width}

    def restored(self, state: Mapping[str, Any]) -> Regression:
        """With a saved scaling."""
        new = Regression(scale=self._scale, missing=self._missing)
        new._shift, new._width = float(state["shift"]), float(state["width"])
        return new

    def loss(self, out: Column[Tensor], targets: BatchColumns) -> Tensor:
        """Squared error of each row, in squared widths."""
        wanted_B = (targets[LABEL].values.float() - self._shift) / self._width
        return (out.values[:, 0].float() - wanted_B) ** 2

    def decode(self, out: Column[np.ndarray], arrays: Columns) -> Predictions:  # noqa: ARG002
        """Values in the targets' units."""
        return Predictions(out.values[:, 0].astype(np.float64) * self._width + self._shift)

    def shown(self, value: float) -> float | None:
        """The value, rounded to what a float32 holds."""
        return None if math.isnan(value) else float(np.format_float_positional(value, 6, unique=True, fractional=False))

    def parsed(self, shown: Any) -> float:
        """The value."""
        if shown is None:
            return math.nan
        if isinstance(shown, bool) or not isinstance(shown, int | float):
            raise ValueError(f"is not a number: {shown!r}")
        return float(shown)

    def described(self, targets: Columns) -> str:
        """Range and mean."""
        known = self.known(targets)
        return f"{known.min():g} to {known.max():g}, mean {known.mean():.3g}"


def _remedy(value: object) -> str:
    if isinstance(value, bool):
        return ": true and false are two classes (kind.name=classification), or write 0 and 1"
    if isinstance(value, str) and number(value.replace(",", ".", 1)) is not None:
        return ": write a decimal point, not a comma"
    return ""
