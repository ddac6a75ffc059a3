"""One of C classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mtl_cli.errors import Suggestion, did_you_mean
from mtl_cli.tasks.clean import clean
from mtl_cli.tasks.columns import BatchColumns, Column, Columns
from mtl_cli.tasks.kinds.base import HeadSpec, Kind, Predictions, Targets
from mtl_cli.tasks.kinds.column import (
    AmbiguousLabelsError,
    Reading,
    code_points,
    is_missing,
    look_alike,
    number,
    plain,
    row_count,
    shown,
    spelled,
    spellings,
    truth,
)  # fmt: skip
from mtl_cli.tasks.kinds.single import LABEL, SingleLabel
from mtl_cli.tasks.kinds.softmax import probabilities

_REMEMBERED = 10_000
"""Spellings of raw labels that a column keeps at hand."""
_YES = frozenset(
    ["yes", "y", "true", "t", "on", "positive", "pos", "correct", "right", "valid", "good", "pass", "present"]
)
_NO = frozenset(
    [
        "no",
        "n",
        "false",
        "f",
        "off",
        "negative",
        "neg",
        "incorrect",
        "wrong",
        "invalid",
        "bad",
        "fail",
        "absent",
        "none",
        "not",
    ]
)


@dataclass(frozen=True)
class _Value:
    """A distinct raw label, with what each reading makes of it; indices are of labels, None where the reading does not know it."""

    text: str
    """Its first spelling."""
    name: int | None = None
    """Place in the label names, behind which stand those that merging makes."""
    id: int | None = None
    boolean: int | None = None
    is_minus_one: bool = False
    is_missing: bool = False

    def index(self, values: str) -> int | None:
        """The label by a reading."""
        by_reading = {"names": self.name, "ids": self.id, "booleans": self.boolean}
        return by_reading.get(values)


class Classification(SingleLabel):
    """Each row has one class; softmax head and cross-entropy.

    How raw labels are read is decided for a column as a whole, once: as names, as ids (the place of the label in `labels`, from
    0) or as booleans. A column that can be read in two ways with different outcomes is refused. Null, NaN and texts without a
    visible character are "no label"; -1 is where it can be no class.

    Args:
        labels: names of the classes in the order of their ids.
        merge: label -> the class that it counts as; a label that is not there counts as itself. The classes are then the
            merged names in order of first appearance, and a raw label may be one of these names too.
        values: names | ids: what raw labels are, where a column does not tell.
        ids: raw value of each label, in the order of `labels`; nothing else is then a label.
        missing: raw value that is no label, such as -1.
    """

    name = "classification"
    form = "classes"

    # Defaults here and not in a YAML, as in `Regression`.
    def __init__(
        self, *, labels: list[str], merge: dict[str, str] | None = None, values: Literal["names", "ids"] | None = None,
        ids: list[bool | str] | None = None, missing: str | None = None,
    ) -> None:  # fmt: skip
        _check_names(labels)
        self._labels, self._merge = tuple(labels), dict(merge or {})
        self._check_merge()
        self._classes = tuple(dict.fromkeys(self._merge.get(name, name) for name in labels))
        if len(self._classes) < 2:
            raise ValueError(f"merge leaves one class, '{self._classes[0]}'; there must be at least two")
        self._names = (*labels, *(name for name in self._classes if name not in labels))
        self._class_of = [float(self._classes.index(self._merge.get(name, name))) for name in self._names]
        self._values, self._missing = values, missing
        self._raw_ids = None if ids is None else tuple(map(spelled, ids))
        self._known = _Names(self._names)
        self._id_of = _Names(tuple(map(str, range(len(labels)))) if self._raw_ids is None else self._raw_ids)
        self._check_options()

    def _check_merge(self) -> None:
        for label, merged in self._merge.items():
            if label not in self._labels:
                raise ValueError(f"merge names '{label}', which is not a label. {did_you_mean(label, self._labels)}")
            if self._merge.get(merged, merged) != merged:
                raise ValueError(f"merge makes '{label}' '{merged}', which is merged itself")

    def _check_options(self) -> None:
        if self._raw_ids is not None:
            if self._values is not None:
                raise ValueError("ids and values exclude each other: ids already says what raw labels are")
            if len(self._raw_ids) != len(self._labels):
                raise ValueError(
                    f"ids must give the raw value of each of the {len(self._labels)} labels; found {len(self._raw_ids)}"
                )
            forms = [raw if (exact := number(raw)) is None else exact for raw in map(clean, self._raw_ids)]
            twice = [raw for raw, form in zip(self._raw_ids, forms, strict=True) if forms.count(form) > 1]
            if twice:
                raise ValueError(f"ids has {twice[0]!r} more than once")
        if self._missing is not None and self._is_label(self._missing):
            raise ValueError(f"missing is {self._missing!r}, which is a label too")

    @property
    def _way(self) -> str | None:
        """The reading that the options fix."""
        return self._values if self._raw_ids is None else "ids"

    def _is_label(self, raw: str) -> bool:
        return (self._known if self._raw_ids is None else self._id_of)(raw) is not None

    @property
    def head(self) -> HeadSpec:
        """One output a class."""
        return HeadSpec(len(self._classes))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, after merging."""
        return self._classes

    @property
    def signature(self) -> list[object]:
        """Labels in the order of their ids; where some are merged, each with its class; and the options that are set."""
        names = [[n, self._merge.get(n, n)] for n in self._labels] if self._merge else list(self._labels)
        options = {"values": self._values, "ids": self._raw_ids, "missing": self._missing}
        return [*names, *([option, value] for option, value in options.items() if value is not None)]

    @property
    def takes_class_names(self) -> bool:
        """Unless the options say that raw labels are ids."""
        return self._values != "ids" and self._raw_ids is None

    def has_name(self, name: str) -> bool:
        """Whether it is a name, and not just an id."""
        return self._known(name) is not None

    def column(self) -> ClassColumn:
        """An empty column of raw labels."""
        return ClassColumn(self._value)

    def targets(self, facts: Sequence[Mapping[str, Any]], codes: Columns, train: Reading | None = None) -> Targets:
        """What the codes of a whole column stand for. Raises `AmbiguousLabelsError` where that is not clear."""
        values = [_Value(**one) for one in facts]
        codes_N = codes[LABEL].values
        rows_V = np.bincount(codes_N.astype(np.int64), minlength=len(values))
        reading = self.decided([(value, int(n)) for value, n in zip(values, rows_V, strict=True) if n], train)
        labels = [math.nan if (at := value.index(reading.values)) is None else self._class_of[at] for value in values]
        labels_V = np.array(labels, np.float32)
        return Targets({LABEL: Column(labels_V[codes_N.astype(np.int64)])}, reading)

    def decided(self, counted: Sequence[tuple[_Value, int]], train: Reading | None) -> Reading:
        """How values are read, each with its rows. Raises `AmbiguousLabelsError` where that is not clear."""
        labelled = [(value, n) for value, n in counted if not (value.is_missing or value.is_minus_one)]
        minus_one = sum(n for value, n in counted if value.is_minus_one)
        if not labelled:
            return self._reading("none", counted)
        values = self._chosen(labelled, train)
        reading = self._reading(values, counted)
        settled = reading.complete or (train is not None and train.complete and train.values == values)
        if minus_one and not settled:
            raise self._minus_one(labelled, minus_one, values)
        return reading

    def as_read(self, value: object, reading: Reading) -> float:
        """A raw label by a reading that was decided before. Raises `ValueError` if the value contradicts it."""
        one = self._value(plain(value))
        if one.is_missing:
            return math.nan
        ways = [reading.values] if reading.values != "none" else ["names", "ids", "booleans"]
        indices = {at for way in ways if (at := one.index(way)) is not None}
        if len(indices) == 1:
            return self._class_of[indices.pop()]
        if one.is_minus_one and (reading.complete or reading.values == "none"):
            return math.nan
        several = "can be read in more than one way, and no label before it decides"
        seen = several if reading.values == "none" else f"is not read as {reading.values}, as the labels before it are"
        remedies = [("missing", "-1")] if one.is_minus_one else [("values", "names"), ("values", "ids")]
        raise AmbiguousLabelsError(f"label {shown(value)} {seen}", remedies)

    def _chosen(self, labelled: Sequence[tuple[_Value, int]], train: Reading | None) -> str:
        """The reading that fits all values; where several do and differ, that of the training rows."""
        wanted = self._way
        ways = [wanted] if wanted else ["names", "ids", "booleans"]
        fitting = [way for way in ways if all(value.index(way) is not None for value, _ in labelled)]
        if not fitting:
            raise self._mixed(labelled, ways)
        if not wanted and fitting == ["ids"] and all(number(name) is not None for name in self._labels):
            raise self._differing(labelled, ["names", "ids"])
        if not wanted and fitting == ["ids"] and self._known.booleans == {True: 0, False: 1}:
            raise self._swapped_booleans(labelled)
        if fitting == ["booleans"] and (doubt := self._against_booleans(labelled)):
            raise doubt
        outcomes = {tuple(value.index(way) for value, _ in labelled) for way in fitting}
        if train is not None and train.values in fitting:
            return train.values
        if len(outcomes) > 1:
            raise self._differing(labelled, fitting)
        return fitting[0]

    def _reading(self, values: str, counted: Sequence[tuple[_Value, int]]) -> Reading:
        meaning: dict[str, str] = {}
        seen = set()
        for value, _ in sorted(counted, key=lambda pair: (pair[0].index(values) is None, pair[0].index(values))):
            at = value.index(values)
            if at is not None:
                seen.add(at if values == "ids" else self._class_of[at])
                if values != "names" or clean(value.text) != clean(self._names[at]):
                    meaning[value.text] = self._names[at]
        no_label: dict[str, int] = {}
        for value, rows in counted:
            if value.text and (value.is_missing or value.is_minus_one):
                no_label[value.text] = no_label.get(value.text, 0) + rows
        complete = len(seen) == (len(self._labels) if values == "ids" else len(self._classes))
        return Reading(values, meaning, no_label, complete)

    def _value(self, value: object) -> _Value:
        """What each reading makes of a plain value. Raises `ValueError` if none knows it."""
        if is_missing(value) and self._known(value) is None:
            return _Value(clean(value) if isinstance(value, str) else "", is_missing=True)
        if self._missing is not None and _Names((self._missing,))(value) == 0:
            return _Value(spelled(value), is_missing=True)
        one = _Value(
            spelled(value),
            None if self._raw_ids is not None else self._known(value),
            self._id(value),
            self._boolean(value),
        )
        ways = [self._way] if self._way else ["names", "ids", "booleans"]
        if any(one.index(way) is not None for way in ways):
            return one
        if number(value) == -1:
            return _Value("-1", is_minus_one=True)
        raise ValueError(self._outside(value))

    def _id(self, value: object) -> int | None:
        flag = truth(value)
        if flag is not None and self._raw_ids is None and self._values == "ids":
            return int(flag) if len(self._labels) == 2 else None
        return self._id_of(value) if self._raw_ids is not None or number(value) is not None else None

    def _boolean(self, value: object) -> int | None:
        flag = truth(value)
        return None if flag is None or len(self._labels) != 2 or self._known.booleans else int(flag)

    def _outside(self, value: object) -> str:
        if self._raw_ids is not None:
            pairs = [f"{raw} ({name})" for raw, name in zip(self._raw_ids, self._labels, strict=True)]
            return f"label {shown(value)} is outside the label set: {_listed(pairs)}, as kind.ids says."
        ids = (
            "" if self._names_are_numbers or self._values == "names" else f" or an id from 0 to {len(self._labels) - 1}"
        )
        return (
            f"label {shown(value)} is outside the label set: {_listed(self._labels)}{ids}. {self._hint(value)}".rstrip()
        )

    @property
    def _names_are_numbers(self) -> bool:
        return all(number(name) is not None for name in self._labels)

    def _hint(self, value: object) -> str:
        text = spelled(value)
        if alike := look_alike(text, self._labels):
            return alike
        count = len(self._labels)
        if number(value) == count and not self._names_are_numbers:
            return f"If the ids begin at 1: kind.ids=[{','.join(map(str, range(1, count + 1)))}]"
        return Suggestion.of(text, self._labels).if_close

    def _described(self, labelled: Sequence[tuple[_Value, int]], values: str) -> str:
        """What the values are by one reading, with their rows."""
        parts = []
        for value, rows in labelled[:8]:
            at = value.index(values)
            parts.append(
                f"{value.text} is {'not a known label' if at is None else self._names[at]} ({row_count(rows)})"
            )
        return f"as {values}, {', '.join(parts)}{', ...' if len(labelled) > 8 else ''}"

    def _differing(self, labelled: Sequence[tuple[_Value, int]], ways: Sequence[str]) -> AmbiguousLabelsError:
        readings = "; ".join(self._described(labelled, way) for way in ways)
        return AmbiguousLabelsError(
            f"the labels can be read in more than one way: {readings}",
            [("values", way) for way in ways if way != "booleans"],
        )

    def _mixed(self, labelled: Sequence[tuple[_Value, int]], ways: Sequence[str]) -> AmbiguousLabelsError:
        """A refusal where no reading fits all values: for each reading, those that it alone fits."""
        parts = []
        for way in ways:
            own = [(v, n) for v, n in labelled if [w for w in ways if v.index(w) is not None] == [way]]
            listed = ", ".join(f"{value.text} ({row_count(n)})" for value, n in own[:3])
            parts += [f"{listed}{', ...' if len(own) > 3 else ''} can only be read as {way}"] if own else []
        return AmbiguousLabelsError(f"the labels are of several sorts: {'; '.join(parts)}. Write all of them alike", [])

    def _against_booleans(self, labelled: Sequence[tuple[_Value, int]]) -> AmbiguousLabelsError | None:
        """A refusal where the names say that false is the second label."""
        first, second = (clean(name).casefold() for name in self._labels)
        negated = {f"{mark}{gap}{first}" for mark in ("not", "non", "no", "un", "in") for gap in ("", " ", "_", "-")}
        if first not in _YES and second not in _NO and second not in negated:
            return None
        swapped = f"by their names, true is {self._labels[0]} and false is {self._labels[1]}"
        return AmbiguousLabelsError(
            f"the labels can be read in more than one way: {self._described(labelled, 'booleans')}; {swapped}",
            [("ids", "[false,true]"), ("ids", "[true,false]")],
        )

    def _swapped_booleans(self, labelled: Sequence[tuple[_Value, int]]) -> AmbiguousLabelsError:
        """A refusal of 0 and 1 where the labels are true and false in this order: elsewhere 0 is false."""
        names = f"by their names, 1 is {self._labels[0]} and 0 is {self._labels[1]}"
        return AmbiguousLabelsError(
            f"the labels can be read in more than one way: {self._described(labelled, 'ids')}; {names}",
            [("ids", "[0,1]"), ("ids", "[1,0]")],
        )

    def _minus_one(self, labelled: Sequence[tuple[_Value, int]], rows: int, values: str) -> AmbiguousLabelsError:
        """A refusal where -1 may be a class and may be no label."""
        no_label = f"{self._described(labelled, values)}, and -1 is not a label ({row_count(rows)})"
        ids = self._ids_from_minus_one(labelled) if values == "ids" and self._raw_ids is None else None
        if ids is None:
            problem = f"-1 may or may not be a label: {no_label}"
            return AmbiguousLabelsError(problem, [("missing", "-1")])
        counts = {value.id: n for value, n in labelled} | {-1: rows}
        own = ", ".join(
            f"{raw} is {name} ({row_count(counts.get(raw, 0))})" for raw, name in zip(ids, self._labels, strict=True)
        )
        problem = f"-1 may or may not be a label: with -1 as a label, {own}; {no_label}"
        return AmbiguousLabelsError(problem, [("ids", f"[{','.join(map(str, ids))}]"), ("missing", "-1")])

    def _ids_from_minus_one(self, labelled: Sequence[tuple[_Value, int]]) -> list[int] | None:
        """The raw values of the labels if -1 is the first of them."""
        occurring = sorted({-1, *(value.id for value, _ in labelled if value.id is not None)})
        if len(occurring) == len(self._labels):
            return occurring
        following = list(range(-1, len(self._labels) - 1))
        return following if set(occurring) <= set(following) else None

    def loss(self, out: Column[Tensor], targets: BatchColumns) -> Tensor:
        """Cross-entropy of each row, in nats."""
        classes_B = targets[LABEL].values.long()
        return torch.nn.functional.cross_entropy(out.values.float(), classes_B, reduction="none")

    def decode(self, out: Column[np.ndarray], arrays: Columns) -> Predictions:  # noqa: ARG002
        """Most probable class and all probabilities."""
        return Predictions(out.values.argmax(axis=1).astype(np.float64), Column(probabilities(out.values)))

    def own(self, predictions: Predictions, head: Kind) -> np.ndarray:
        """By its own class ids; classes that only the head has come behind them."""
        if self.classes == head.classes:
            return predictions.values_N
        order = [*self.classes, *(name for name in head.classes if name not in self.classes)]
        return np.array([order.index(name) for name in head.classes], np.float64)[predictions.values_N.astype(np.int64)]

    def shown(self, value: float) -> str | None:
        """Name of the class."""
        return None if math.isnan(value) else self._classes[int(value)]

    def parsed(self, shown: Any) -> float:
        """Index of the class."""
        if shown is None:
            return math.nan
        if shown not in self._classes:
            raise ValueError(f"is not one of the labels {', '.join(self._classes[:10])}: {shown!r}")
        return float(self._classes.index(shown))

    def shown_scores(self, predictions: Predictions, row: int) -> dict[str, float]:
        """Probability of each class."""
        assert predictions.scores is not None
        named = zip(self._classes, predictions.scores.values[row], strict=True)
        return {name: round(float(p), 6) for name, p in named}

    def described(self, targets: Columns) -> str:
        """How many rows each class has."""
        rows = np.bincount(self.known(targets).astype(np.int64), minlength=len(self._classes)).tolist()
        listed = ", ".join(f"{name} {n:,}" for name, n in zip(self._classes[:6], rows, strict=False))
        return f"{listed}{', ...' if len(self._classes) > 6 else ''}"

    def absent(self, targets: Columns) -> tuple[str, ...]:
        """Classes of no row."""
        occurring = set(self.known(targets).astype(int).tolist())
        return tuple(name for i, name in enumerate(self._classes) if i not in occurring)


class ClassColumn:
    """Raw labels of one set; each distinct one has a code, and there are no more of them than readings can tell apart.

    Args:
        value: what each reading makes of a plain raw label; raises `ValueError` if none knows it.
    """

    def __init__(self, value: Callable[[object], _Value]) -> None:
        self._value = value
        self._codes: dict[object, int] = {}
        self._places: dict[tuple[object, ...], int] = {}
        self.values: list[_Value] = []
        """By code."""

    def code(self, value: object) -> int:
        """Code of a raw label. Raises `ValueError` if no reading knows it."""
        # 1, 1.0 and True are one key to a dict.
        key = value if type(value) is str else (type(value), value)
        try:
            return self._codes[key]
        except (KeyError, TypeError):  # a list is no key
            return self._new(value, key)

    def _new(self, value: object, key: object) -> int:
        one = self._value(plain(value))
        what = (one.name, one.id, one.boolean, one.is_minus_one, one.is_missing, one.text if one.is_missing else "")
        code = self._places.setdefault(what, len(self.values))
        if code == len(self.values):
            self.values.append(one)
        if value == value:  # NaN equals nothing, itself included, and would fill the memory
            if len(self._codes) >= _REMEMBERED:
                self._codes.clear()
            self._codes[key] = code
        return code

    def facts(self) -> list[dict[str, Any]]:
        """The distinct values by code."""
        return [asdict(value) for value in self.values]


class _Names:
    """Names that a raw value may stand for: exactly, without regard to white space and marks, as a number, as true or false.

    Args:
        names: in the order of their places.
    """

    def __init__(self, names: Sequence[str]) -> None:
        places = range(len(names))
        self._exact = dict(zip(names, places, strict=True))
        self._clean = {clean(name): place for name, place in zip(reversed(names), reversed(places), strict=True)}
        self._numbers: dict[Decimal, list[int]] = {}
        self._flags: dict[bool, int] = {}
        for name, place in self._exact.items():
            if (exact := number(name)) is not None:
                self._numbers.setdefault(exact, []).append(place)
            if (flag := truth(name)) is not None:
                self._flags.setdefault(flag, place)

    @property
    def booleans(self) -> dict[bool, int]:
        """Places of the names true and false."""
        return self._flags

    def __call__(self, value: object) -> int | None:
        """Place of the name that a plain value stands for; None if there is none. Raises `ValueError` if there are several."""
        texts = spellings(value)
        for known in (self._exact, self._clean):
            places = {known[text] for text in (texts if known is self._exact else map(clean, texts)) if text in known}
            if places:
                return self._only(places, value)
        exact, flag = number(value), truth(value)
        if exact is not None and exact in self._numbers:
            return self._only(set(self._numbers[exact]), value)
        return None if flag is None else self._flags.get(flag)

    def _only(self, places: set[int], value: object) -> int:
        if len(places) > 1:
            names = [name for name, place in self._exact.items() if place in places]
            raise ValueError(f"label {shown(value)} may be any of {_listed(names)}: write the names as texts")
        return places.pop()


def _check_names(labels: Sequence[str]) -> None:
    """Raise `ValueError` for names that do not tell classes apart."""
    if len(labels) < 2:
        raise ValueError(f"labels must name at least two classes; found {labels}")
    twice = sorted({name for name in labels if labels.count(name) > 1})
    if twice:
        raise ValueError(f"labels has {', '.join(map(repr, twice))} more than once")
    first: dict[str, str] = {}
    for name in labels:
        if not clean(name):
            raise ValueError(f"labels has {name!r}, a name without a visible character")
        other = first.setdefault(clean(name), name)
        if other != name:
            raise ValueError(f"labels '{other}' and '{name}' read alike: {code_points(other)} and {code_points(name)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
