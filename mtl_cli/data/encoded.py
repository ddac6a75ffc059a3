"""Rows as token ids on disk, memory-mapped: encoded once, found again by content.

A folder of the cache holds one set as `data.store` writes it: `ids`, `types` if the model tells the two texts of a pair apart,
`hashes` of the texts, and what the task's input and kind declare. Its name is a digest of everything these depend on. Of labels
it holds codes, whose meaning is decided when the set is opened: it may depend on another set, the training rows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtl_cli.data.store import StoreWriter, open_store
from mtl_cli.digest import json_digest
from mtl_cli.errors import DataError, RunError
from mtl_cli.scratch import recover, scratch_folder
from mtl_cli.tasks.columns import Column, Columns, ColumnSpec, chosen
from mtl_cli.tasks.inputs.base import EncodedRow
from mtl_cli.tasks.kinds.base import TargetReader
from mtl_cli.tasks.kinds.column import AmbiguousLabelsError, Reading, contradiction
from mtl_cli.tasks.labels import read_row
from mtl_cli.tasks.rows import Row
from mtl_cli.tasks.source import Origin
from mtl_cli.tasks.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_FORMAT = 6
_CHUNK = 1024
_INPUT, _TARGET = "input.", "target."
"""What the names of the columns of inputs and kinds begin with."""


@dataclass(frozen=True)
class Meta:
    """Facts about an encoded set."""

    rows: int
    tokens: int
    max_id: int
    """Largest token id."""
    truncated: int
    """Rows that were cut to length."""
    fingerprint: str
    """Digest of the raw content."""
    label_column: bool = True
    """Whether every row has the label column."""
    empty_texts: int = 0
    """Rows with a text that has no visible character."""
    raw_labels: list[dict[str, Any]] = field(default_factory=list)
    """What the kind's reader knows of the labels that it met."""


@dataclass(frozen=True)
class EncodedSet:
    """One set of rows of one task, as memory-mapped arrays. Legend: N rows, T tokens of all rows together."""

    origin: Origin
    meta: Meta
    ids_T: np.ndarray
    types_T: np.ndarray | None
    offsets: np.ndarray
    """Where each row begins in `ids_T`, shape [N + 1]."""
    targets: Columns
    """Of the kind: what the labels mean."""
    labelled_N: np.ndarray
    """Whether each row has a label."""
    units_N: np.ndarray
    """What the task's loss divides by, of each row; see `Kind.units`."""
    arrays: Columns = field(default_factory=dict)
    """Of the input, beside the tokens."""
    row_numbers: np.ndarray | None = None
    """Number of each row in the set that these were drawn from; None: all of them, in order."""
    hashes_N: np.ndarray | None = None
    """Of the texts of each row, uint64: equal texts have equal ones; 0 where a text is empty. None: not known."""
    reading: Reading | None = None
    """How the raw labels were read; None: they were not."""

    def __len__(self) -> int:
        return self.meta.rows

    @property
    def unlabelled(self) -> int:
        """Rows without a label."""
        return int((~self.labelled_N).sum())

    def chosen(self, rows: np.ndarray) -> EncodedSet:
        """Some of the rows, in the order given; the fingerprint stays that of the whole set."""
        ids = Column(self.ids_T, self.offsets).chosen(rows)
        assert ids.offsets is not None
        return dataclasses.replace(
            self, meta=dataclasses.replace(self.meta, rows=len(rows), tokens=len(ids.values)), ids_T=ids.values,
            types_T=None if self.types_T is None else Column(self.types_T, self.offsets).chosen(rows).values,
            offsets=ids.offsets, targets=chosen(self.targets, rows), labelled_N=self.labelled_N[rows],
            units_N=self.units_N[rows], arrays=chosen(self.arrays, rows), row_numbers=rows,
            hashes_N=None if self.hashes_N is None else np.asarray(self.hashes_N)[rows],
        )  # fmt: skip

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Tokens of each of some rows."""
        return self.offsets[rows + 1] - self.offsets[rows]


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """Digest of everything the tokenizer does to a text."""
    has_types = "token_type_ids" in tokenizer.model_input_names
    return _fingerprint(tokenizer.backend_tokenizer.to_str(), has_types, tokenizer.truncation_side)


@functools.lru_cache(maxsize=4)
def _fingerprint(rules_json: str, has_types: bool, truncation_side: str) -> str:
    rules = json.loads(rules_json)
    # What the last call left there; each call sets them anew.
    rules.update(truncation=None, padding=None)
    what = [rules, has_types, truncation_side]
    return json_digest(what)


def encode(
    task: Task,
    origin: Origin,
    tokenizer: PreTrainedTokenizerFast,
    tokenizer_digest: str,
    cache: Path,
    *,
    need_labels: bool = True,
    train: Reading | None = None,
) -> EncodedSet:
    """Open a set in the cache, encoding it first if it is not there.

    Args:
        task: says which columns are read, and what labels are.
        origin: the rows.
        tokenizer: of the backbone.
        tokenizer_digest: its `tokenizer_fingerprint`.
        cache: folder of all encoded sets.
        need_labels: without, rows may lack the label column.
        train: how the labels of the training rows are read, which decides what those of this set leave open.

    Raises:
        DataError: a column is missing, a label is outside the label set, a text is null; says in which row. Or the labels as a
            whole can be read in several ways.
        RunError: the cache cannot be written.
    """
    fingerprint = origin.fingerprint()
    what = {
        "format": _FORMAT, "content": fingerprint, "text": task.text, "label": task.label, "kind": task.kind.name,
        "labels": task.kind.signature, "tokenizer": tokenizer_digest, "max_length": task.max_length,
        "input": task.input.name,
    }  # fmt: skip
    key = json_digest(what)[:32]
    folder = cache / "encoded" / key
    stored = _open(folder)
    if stored is None:
        try:
            if folder.exists() and _open(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)
            _write(task, origin, tokenizer, fingerprint, folder, need_labels)
        except OSError as error:
            raise RunError(
                f"cannot write encoded rows to {folder.parent}: {error.strerror}. Set data.cache=DIR or MTL_CACHE."
            ) from error
        stored = _open(folder)
        if stored is None:
            raise RunError(f"the encoded rows in {folder} are damaged as soon as they are written; look at the disk")
    if need_labels and not stored.meta.label_column:
        raise _no_label_column(task, origin.path)
    return _read(task, origin, stored, train)


@dataclass(frozen=True)
class _Stored:
    """A set in the cache, its labels not read."""

    meta: Meta
    columns: Columns

    def named(self, prefix: str) -> dict[str, Column[np.ndarray]]:
        """The columns of an input or a kind, by the names that it declares."""
        return {n.removeprefix(prefix): column for n, column in self.columns.items() if n.startswith(prefix)}


def _read(task: Task, origin: Origin, stored: _Stored, train: Reading | None) -> EncodedSet:
    """The set, with what its codes of labels mean."""
    kind = task.kind
    try:
        read = kind.targets(stored.meta.raw_labels, stored.named(_TARGET), train)
    except AmbiguousLabelsError as error:
        raise _ambiguous(task, origin, error) from error
    reading, names = read.reading, origin.class_names()
    if names and kind.takes_class_names and reading.values != "none":
        reading = dataclasses.replace(reading, meaning={str(i): name for i, name in enumerate(names)})
    if train is not None and (doubt := contradiction(train, reading)) is not None:
        raise _ambiguous(task, origin, doubt)
    ids, types = stored.columns["ids"], stored.columns.get("types")
    assert ids.offsets is not None
    return EncodedSet(
        origin, stored.meta, ids.values, None if types is None else types.values, ids.offsets, read.columns,
        kind.labelled(read.columns), kind.units(read.columns), stored.named(_INPUT),
        hashes_N=stored.columns["hashes"].values, reading=reading,
    )  # fmt: skip


def _ambiguous(task: Task, origin: Origin, error: AmbiguousLabelsError) -> DataError:
    where = f"{origin.path}, {origin.set_name}: column '{task.label}'"
    return DataError(f"{where}: {error.sentence(f'+tasks.{task.name}.kind.')}", task.name)


def _no_label_column(task: Task, where: str) -> DataError:
    return DataError(f"{where}: task '{task.name}' reads its labels from column '{task.label}', which is missing")


def _open(folder: Path) -> _Stored | None:
    """The set in a folder of the cache; None if it is not there or not whole (a disk that was full, a hand that edited)."""
    found = open_store(folder)
    if found is None:
        return None
    columns, meta = found
    try:
        return _Stored(Meta(**meta), columns)
    except TypeError:
        return None


@contextlib.contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """A scratch folder that becomes `folder` in one move when the block succeeds."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover(folder.parent)
    with scratch_folder(folder) as scratch:
        yield scratch
        # Another process may have been faster; its content is the same.
        with contextlib.suppress(OSError):
            scratch.rename(folder)


@contextlib.contextmanager
def _as_it_was(tokenizer: PreTrainedTokenizerFast) -> Iterator[None]:
    """Take back what calls leave in a tokenizer: saved with a run, it must not tell whether the rows were in the cache."""
    rules = tokenizer.backend_tokenizer
    truncation, padding = rules.truncation, rules.padding
    try:
        yield
    finally:
        rules.no_truncation()
        rules.no_padding()
        if truncation is not None:
            rules.enable_truncation(**truncation)
        if padding is not None:
            rules.enable_padding(**padding)


def _write(
    task: Task, origin: Origin, tokenizer: PreTrainedTokenizerFast, fingerprint: str, folder: Path, need_labels: bool
) -> None:
    with (
        _building(folder) as scratch,
        _as_it_was(tokenizer),
        StoreWriter(scratch, _specs(task, len(tokenizer))) as store,
    ):
        counts = _Counts(task.kind.reader())
        rows = origin.rows()
        while chunk := list(itertools.islice(rows, _CHUNK)):
            found = task.input.encode(task.asked, chunk, tokenizer)
            labels = [_label(*pair, task, need_labels, counts) for pair in zip(chunk, found, strict=True)]
            store.add(_columns(task, found, labels))
            counts.add(found)
        if not counts.rows:
            raise DataError(f"{origin.path}: the {origin.set_name} set has no rows")
        meta = Meta(
            rows=counts.rows, tokens=counts.tokens, max_id=counts.max_id, truncated=counts.truncated,
            fingerprint=fingerprint, label_column=counts.label_column, empty_texts=counts.empty_texts,
            raw_labels=counts.labels.facts(),
        )  # fmt: skip
        has_types = "token_type_ids" in tokenizer.model_input_names and counts.some_types
        store.finish(asdict(meta), [] if has_types else ["types"])


def _specs(task: Task, vocabulary: int) -> dict[str, ColumnSpec]:
    return {
        "ids": ColumnSpec("uint16" if vocabulary <= 2**16 else "int32", ragged=True),
        "types": ColumnSpec("uint8", ragged=True),
        "hashes": ColumnSpec("uint64"),
        **{f"{_INPUT}{name}": spec for name, spec in task.input.arrays.items()},
        **{f"{_TARGET}{name}": spec for name, spec in task.kind.columns.items()},
    }


def _columns(task: Task, rows: Sequence[EncodedRow], labels: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Some rows by column."""
    targets = zip(*labels, strict=True)
    return {
        "ids": [row.ids for row in rows],
        "types": [row.types for row in rows],
        "hashes": [row.text_hash for row in rows],
        **{f"{_INPUT}{name}": [row.arrays[name] for row in rows] for name in task.input.arrays},
        **{f"{_TARGET}{name}": list(one) for name, one in zip(task.kind.columns, targets, strict=True)},
    }


@dataclass
class _Counts:
    labels: TargetReader
    rows: int = 0
    tokens: int = 0
    max_id: int = 0
    truncated: int = 0
    empty_texts: int = 0
    some_types: bool = False
    label_column: bool = True

    def add(self, rows: Sequence[EncodedRow]) -> None:
        """Count some rows."""
        self.rows += len(rows)
        self.tokens += sum(len(row.ids) for row in rows)
        self.max_id = max(self.max_id, *(max(row.ids) for row in rows))
        self.truncated += sum(row.cut for row in rows)
        self.empty_texts += sum(row.text_hash == 0 for row in rows)
        self.some_types = self.some_types or any(any(row.types) for row in rows)


def _label(row: Row, encoded: EncodedRow, task: Task, need_labels: bool, counts: _Counts) -> tuple[Any, ...]:
    """What is stored of a row's label; where none is needed, a row may lack the column."""
    if need_labels or row.has(task.label):
        return read_row(counts.labels, row, encoded, task.label, task.name)
    counts.label_column = False
    return counts.labels.read(None, encoded)
