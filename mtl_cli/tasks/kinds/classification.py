"""One of C classes."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mtl_cli.errors import did_you_mean
from mtl_cli.tasks.kinds.base import Decoded, HeadSpec, Kind


class Classification(Kind):
    """Each row has one class; softmax head and cross-entropy.

    Args:
        labels: names of the classes in the order of their integer ids. A raw label may be a name or an id; if every name
            is itself a whole number, only names count, so that 1-5 stars cannot be taken for ids. -1, an empty text and
            null are "no label".
        merge: label -> the class that it counts as; a label that is not there counts as itself. The classes are then the
            merged names in order of first appearance, and a raw label may be one of these names too.
    """

    name = "classification"

    # A default here and not in a YAML, as in `Regression`.
    def __init__(self, *, labels: list[str], merge: dict[str, str] | None = None) -> None:
        if len(labels) < 2:
            raise ValueError(f"labels must name at least two classes; found {labels}")
        twice = sorted({name for name in labels if labels.count(name) > 1})
        if twice:
            raise ValueError(f"labels has {', '.join(map(repr, twice))} more than once")
        self._labels, self._merge = tuple(labels), dict(merge or {})
        self._check_merge()
        self._classes = tuple(dict.fromkeys(self._merge.get(name, name) for name in labels))
        if len(self._classes) < 2:
            raise ValueError(f"merge leaves one class, '{self._classes[0]}'; there must be at least two")
        index = {name: float(i) for i, name in enumerate(self._classes)}
        self._ids = {name: index[self._merge.get(name, name)] for name in labels} | index
        self._names_only = all(name.lstrip("-").isdigit() for name in labels)

    def _check_merge(self) -> None:
        for label, merged in self._merge.items():
            if label not in self._labels:
                raise ValueError(f"merge names '{label}', which is no label. {did_you_mean(label, self._labels)}")
            if self._merge.get(merged, merged) != merged:
                raise ValueError(f"merge makes '{label}' '{merged}', which is merged itself")

    @property
    def head(self) -> HeadSpec:
        """One output a class."""
        return HeadSpec(len(self._classes))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, after merging."""
        return self._classes

    @property
    def reading(self) -> list[object]:
        """Labels in the order of their ids; where some are merged, each with its class."""
        return [[name, self._merge.get(name, name)] for name in self._labels] if self._merge else list(self._labels)

    def encode(self, value: object) -> float:
        """Index of the class. Raises `ValueError` for a label that is neither a name nor an id."""
        if isinstance(value, bool):
            value = self._bool(value)
        if isinstance(value, float) and (math.isnan(value) or value.is_integer()):
            value = None if math.isnan(value) else int(value)
        text = "" if value is None else str(value).strip()
        if text in self._ids:
            return self._ids[text]
        if text in ("", "-1"):
            return math.nan
        if not self._names_only and text.isdecimal() and int(text) < len(self._labels):
            return self._ids[self._labels[int(text)]]
        allowed = ", ".join(self._labels[:20]) + (", ..." if len(self._labels) > 20 else "")
        ids = "" if self._names_only else f" or an id from 0 to {len(self._labels) - 1}"
        hint = did_you_mean(text, self._labels)
        raise ValueError(
            f"label {value!r} is outside the label set: {allowed}{ids}.{' ' + hint if hint.startswith('Did') else ''}"
        )

    def _bool(self, value: bool) -> object:
        names = {name.lower(): name for name in self._ids}
        return names.get(str(value).lower(), int(value))

    def loss(self, out_BC: Tensor, labels_B: Tensor) -> Tensor:
        """Cross-entropy of each row, in nats."""
        return torch.nn.functional.cross_entropy(out_BC.float(), labels_B.long(), reduction="none")

    def decode(self, out_NC: np.ndarray) -> Decoded:
        """Most probable class and all probabilities."""
        logits = out_NC.astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        scores = np.exp(logits)
        scores /= scores.sum(axis=1, keepdims=True)
        return Decoded(out_NC.argmax(axis=1).astype(np.float64), scores)

    def shown(self, value: float) -> str | None:
        """Name of the class."""
        return None if math.isnan(value) else self._classes[int(value)]
