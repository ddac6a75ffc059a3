"""One of C tags for each word. Legend: N rows, B rows of a batch, W words of all rows, C tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from mtl_cli.tasks.columns import BatchColumns, Column, Columns, ColumnSpec
from mtl_cli.tasks.inputs.base import EncodedRow
from mtl_cli.tasks.inputs.words import WORDS
from mtl_cli.tasks.kinds.base import HeadSpec, Kind, Predictions, Targets
from mtl_cli.tasks.kinds.classification import ClassColumn, Classification
from mtl_cli.tasks.kinds.column import Reading, plain, shown
from mtl_cli.tasks.kinds.single import LABEL
from mtl_cli.tasks.kinds.softmax import probabilities

_TAGS, _KEPT = "tags", "kept"
"""Columns: the tag of each word, -1 for none; and whether the word has a token, which it loses where a row is cut."""
_OUTSIDE = "O"


class Tagging(Kind):
    """Each word has one tag; a softmax head over the state of a word's first token, and cross-entropy.

    A raw label is a list of tags, or a text of tags with blanks between them, as many as there are words. How the tags are read,
    as names or as ids, is decided as `Classification` does it, for all words of a set at once. L_i is the mean over words.

    Args:
        labels: names of the tags in the order of their ids.
        scheme: `bio`: B-X begins an entity of type X, I-X continues it, O is outside; `plain`: any tags, such as parts of speech.
        values: names | ids: what raw tags are, where a column does not tell.
        missing: raw tag that is no label, such as -100.
    """

    name = "tagging"
    columns: ClassVar[Mapping[str, ColumnSpec]] = {
        _TAGS: ColumnSpec("int32", ragged=True),
        _KEPT: ColumnSpec("uint8", ragged=True),
    }
    inputs = (WORDS,)

    # Defaults here and not in a YAML, as in `Regression`.
    def __init__(
        self, *, labels: list[str], scheme: Literal["bio", "plain"] = "bio",
        values: Literal["names", "ids"] | None = None, missing: str | None = None,
    ) -> None:  # fmt: skip
        self._words = Classification(labels=labels, values=values, missing=missing)
        self._scheme = scheme
        strange = [name for name in labels if name != _OUTSIDE and name[:2] not in ("B-", "I-")]
        if scheme == "bio" and (strange or _OUTSIDE not in labels):
            found = f"found {shown(strange[0])}" if strange else "O is not there"
            raise ValueError(f"labels must be O, B-X and I-X by scheme: bio; {found}. Other tags: scheme: plain")

    @property
    def form(self) -> str:
        """Tags that make entities, or tags of any sort."""
        return "entities" if self._scheme == "bio" else "tags"

    @property
    def head(self) -> HeadSpec:
        """One output a tag, for each word."""
        return HeadSpec(len(self.classes), "word")

    @property
    def classes(self) -> tuple[str, ...]:
        """The tags."""
        return self._words.classes

    @property
    def signature(self) -> list[object]:
        """That of its tags."""
        return self._words.signature

    @property
    def takes_class_names(self) -> bool:
        """Unless the options say that raw tags are ids."""
        return self._words.takes_class_names

    def has_name(self, name: str) -> bool:
        """Whether it is a tag."""
        return self._words.has_name(name)

    def reader(self) -> TagReader:
        """Reads the tags of one set."""
        return TagReader(self._words.column())

    def targets(self, facts: Sequence[Mapping[str, Any]], codes: Columns, train: Reading | None = None) -> Targets:
        """The tags of all words, read as one column of classes."""
        stored = codes[_TAGS]
        if not len(stored.values):
            return Targets(codes, Reading("none"))
        read = self._words.targets(facts, {LABEL: Column(stored.values)}, train)
        labels_W = np.asarray(read.columns[LABEL].values)
        tags_W = np.where(np.isnan(labels_W), -1, labels_W).astype(np.int32)
        return Targets({_TAGS: Column(tags_W, stored.offsets), _KEPT: codes[_KEPT]}, read.reading)

    def labelled(self, targets: Columns) -> np.ndarray:
        """Whether any word has a tag."""
        return _counted(targets[_TAGS], targets[_TAGS].values >= 0) > 0

    def units(self, targets: Columns) -> np.ndarray:
        """Words with a tag and a token."""
        return _counted(targets[_TAGS], (targets[_TAGS].values >= 0) & (targets[_KEPT].values > 0))

    def loss(self, out: Column[Tensor], targets: BatchColumns) -> Tensor:
        """Sum of the cross-entropy of the words of each row, in nats."""
        tags, kept_W = targets[_TAGS], targets[_KEPT].values > 0
        losses_W = torch.nn.functional.cross_entropy(
            out.values.float(), tags.values.long().masked_fill(~kept_W, -1), ignore_index=-1, reduction="none"
        )
        row_W = torch.from_numpy(tags.row_V).to(losses_W.device)
        return losses_W.new_zeros(len(tags)).index_add(0, row_W, losses_W)

    def decode(self, out: Column[np.ndarray], arrays: Columns) -> Predictions:
        """Most probable tag of each word; of a word that was cut off O, or nothing where tags are plain."""
        lost = _OUTSIDE if self._scheme == "bio" else None
        places = np.where(arrays[WORDS].values >= 0, out.values.argmax(axis=1), -1)
        return Predictions(
            self._named(Column(places, out.offsets), lost), Column(probabilities(out.values), out.offsets)
        )

    def gold(self, targets: Columns) -> np.ndarray:
        """A tuple of tags a row; None for no tag."""
        return self._named(targets[_TAGS], None)

    def _named(self, tags: Column[np.ndarray], none: str | None) -> np.ndarray:
        names = [*self.classes, none]  # -1 is the last one
        found = np.empty(len(tags), object)
        for row in range(len(tags)):
            found[row] = tuple(names[tag] for tag in tags.row(row).tolist())
        return found

    def shown(self, value: Sequence[str | None]) -> list[str | None]:
        """The tags."""
        return list(value)

    def parsed(self, shown: Any) -> tuple[str | None, ...]:
        """The tags."""
        if not isinstance(shown, list) or any(tag is not None and tag not in self.classes for tag in shown):
            raise ValueError(f"is not a list of the tags {', '.join(self.classes[:10])}: {shown!r:.80}")
        return tuple(shown)

    def described(self, targets: Columns) -> str:
        """How many words each tag has."""
        tags_W = targets[_TAGS].values
        return self._words.described({LABEL: Column(np.where(tags_W < 0, np.nan, tags_W))})

    def absent(self, targets: Columns) -> tuple[str, ...]:
        """Tags of no word."""
        occurring = set(np.unique(targets[_TAGS].values).tolist())
        return tuple(name for i, name in enumerate(self.classes) if i not in occurring)


def _counted(words: Column[np.ndarray], counts_W: np.ndarray) -> np.ndarray:
    """How many of each row's words count, shape [N]."""
    return np.bincount(words.row_V[counts_W], minlength=len(words)).astype(np.int64)


class TagReader:
    """Raw labels of one set: lists of tags.

    Args:
        column: gives each tag a code.
    """

    def __init__(self, column: ClassColumn) -> None:
        self._column = column

    def read(self, value: object, row: EncodedRow | None) -> tuple[list[int], list[int]]:
        """The code of each word's tag, and whether the word has a token. Raises `ValueError` for what are no such tags."""
        tags = _listed(plain(value))
        words = [0] * len(tags or []) if row is None else row.arrays[WORDS]
        if tags is None:
            tags = [None] * len(words)
        if len(tags) != len(words):
            raise ValueError(f"has {len(tags)} tags for {len(words)} words")
        return [self._column.code(tag) for tag in tags], [int(place >= 0) for place in words]

    def facts(self) -> list[dict[str, Any]]:
        """Those of the column of all tags."""
        return self._column.facts()


def _listed(value: object) -> list[Any] | None:
    """The tags in a raw label; None if there is none."""
    if value is None or isinstance(value, list):
        return value
    if isinstance(value, str):
        return value.split() or None
    raise ValueError(f"label {shown(value)} is neither a list of tags nor a text of tags with blanks between them")
