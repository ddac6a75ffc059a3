"""One number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from torch import Tensor

from mtl_cli.tasks.kinds.base import Decoded, HeadSpec, Kind
from mtl_cli.tasks.kinds.column import Labels, Reading, ValueColumn, is_missing, number, plain, shown

_LARGEST = float(np.finfo(np.float32).max)


class Regression(Kind):
    """Each row has one number; squared error on scaled targets, predictions in the targets' own units.

    Args:
        scale: how targets enter the loss. `standard`: (y - mean) / standard deviation of the training split, so that a
            constant guess has loss 1, near that of an undecided classifier; `range`: (y - min) / (max - min); `none`:
            as they are (raw 1-5 targets drown the other tasks' losses).
        missing: the number that stands for "no label", such as GLUE's -1; None if there is none. Null, NaN and
            a text without a visible character are "no label" always.
    """

    name = "regression"

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

    def column(self) -> ValueColumn:
        """Each number is read by itself."""
        return ValueColumn(self._number)

    def read(
        self, facts: Sequence[Mapping[str, Any]], codes_N: np.ndarray, train: Reading | None = None  # noqa: ARG002
    ) -> Labels:  # fmt: skip
        """The numbers as they are."""
        return Labels(Reading("numbers"), None)

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

    def fitted(self, labels_N: np.ndarray) -> Regression:
        """With the scale of the training labels. Raises `ValueError` if they are all equal."""
        known = labels_N[~np.isnan(labels_N)].astype(np.float64)
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

    def loss(self, out_BC: Tensor, labels_B: Tensor) -> Tensor:
        """Squared error of each row, in squared widths."""
        return (out_BC[:, 0].float() - (labels_B.float() - self._shift) / self._width) ** 2

    def decode(self, out_NC: np.ndarray) -> Decoded:
        """Values in the targets' units."""
        return Decoded(out_NC[:, 0].astype(np.float64) * self._width + self._shift, None)

    def shown(self, value: float) -> float | None:
        """The value, rounded to what a float32 holds."""
        return None if math.isnan(value) else float(np.format_float_positional(value, 6, unique=True, fractional=False))


def _remedy(value: object) -> str:
    if isinstance(value, bool):
        return ": true and false are two classes (kind.name=classification), or write 0 and 1"
    if isinstance(value, str) and number(value.replace(",", ".", 1)) is not None:
        return ": write a decimal point, not a comma"
    return ""
