"""Rows as token ids on disk, memory-mapped: encoded once, found again by content.

A folder of the cache holds flat arrays (`ids.bin`, `offsets.bin`, `labels.bin`, `types.bin` if the model tells the two
texts of a pair apart, `seconds.bin` if the task's pairs are packed, `hashes.bin` of the texts) and `meta.json`. Its name is a
digest of everything the arrays depend on. `labels.bin` holds codes of the raw labels, whose meaning is decided when the set is
opened: it may depend on another set, the training rows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from mtl_cli.data.tokens import tokenised
from mtl_cli.digest import json_digest
from mtl_cli.errors import DataError, RunError
from mtl_cli.scratch import recover, scratch_folder
from mtl_cli.tasks.kinds.column import AmbiguousLabelsError, Column, Reading, contradiction
from mtl_cli.tasks.labels import code_of
from mtl_cli.tasks.rows import Row
from mtl_cli.tasks.source import Origin
from mtl_cli.tasks.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_FORMAT = 5
_CHUNK = 1024
_ARRAYS = ("ids", "types", "offsets", "labels", "seconds", "hashes")


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
    has_types: bool
    ids_dtype: str
    label_column: bool
    """Whether the rows have the label column at all."""
    packed: bool = False
    empty_texts: int = 0
    """Rows with a text that has no visible character."""
    raw_labels: list[dict[str, Any]] = field(default_factory=list)
    """What the kind knows of each code of a label."""


@dataclass(frozen=True)
class EncodedSet:
    """One set of rows of one task, as memory-mapped arrays. Legend: N rows, T tokens of all rows together."""

    origin: Origin
    meta: Meta
    ids_T: np.ndarray
    types_T: np.ndarray | None
    offsets: np.ndarray
    """Where each row begins in `ids_T`, shape [N + 1]."""
    labels_N: np.ndarray
    """float32; NaN is no label."""
    seconds_N: np.ndarray | None = None
    """Of packed pairs: the place in its row at which the hypothesis begins, int32."""

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
        return int(np.isnan(self.labels_N).sum())

    def chosen(self, rows: np.ndarray) -> EncodedSet:
        """Some of the rows, in the order given; the fingerprint stays that of the whole set."""
        spans = [slice(int(self.offsets[row]), int(self.offsets[row + 1])) for row in rows]
        ids_T = np.concatenate([self.ids_T[span] for span in spans]) if spans else self.ids_T[:0]
        types_T = None
        if self.types_T is not None:
            types_T = np.concatenate([self.types_T[span] for span in spans]) if spans else self.types_T[:0]
        meta = dataclasses.replace(self.meta, rows=len(rows), tokens=len(ids_T))
        return dataclasses.replace(
            self, meta=meta, ids_T=ids_T, types_T=types_T, offsets=np.cumsum([0, *self.lengths(rows)]),
            labels_N=np.asarray(self.labels_N)[rows], row_numbers=rows, seconds_N=_some(self.seconds_N, rows),
            hashes_N=_some(self.hashes_N, rows),
        )  # fmt: skip

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Tokens of each of some rows."""
        return self.offsets[rows + 1] - self.offsets[rows]


def _some(values_N: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if values_N is None else np.asarray(values_N)[rows]


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
        "layout": task.layout,
    }  # fmt: skip
    key = json_digest(what)[:32]
    folder = cache / "encoded" / key
    encoded = _open(origin, folder)
    if encoded is None:
        try:
            if folder.exists() and _open(origin, folder) is None:
                shutil.rmtree(folder, ignore_errors=True)
            _write(task, origin, tokenizer, fingerprint, folder, need_labels)
        except OSError as error:
            raise RunError(
                f"cannot write encoded rows to {folder.parent}: {error.strerror}. Set data.cache=DIR or MTL_CACHE."
            ) from error
        encoded = _open(origin, folder)
        if encoded is None:
            raise RunError(f"the encoded rows in {folder} are damaged as soon as they are written; look at the disk")
    if need_labels and not encoded.meta.label_column:
        raise _no_label_column(task, origin.path)
    return _read_labels(task, encoded, train)


def _read_labels(task: Task, encoded: EncodedSet, train: Reading | None) -> EncodedSet:
    """The set with its codes of labels turned into labels."""
    if not encoded.meta.label_column:
        return dataclasses.replace(encoded, reading=Reading("none"))
    try:
        labels = task.kind.read(encoded.meta.raw_labels, encoded.labels_N, train)
    except AmbiguousLabelsError as error:
        raise _ambiguous(task, encoded.origin, error) from error
    reading, names = labels.reading, encoded.origin.class_names()
    if names and task.kind.takes_class_names and reading.values != "none":
        reading = dataclasses.replace(reading, meaning={str(i): name for i, name in enumerate(names)})
    if train is not None and (doubt := contradiction(train, reading)) is not None:
        raise _ambiguous(task, encoded.origin, doubt)
    return dataclasses.replace(encoded, labels_N=labels.of(encoded.labels_N), reading=reading)


def _ambiguous(task: Task, origin: Origin, error: AmbiguousLabelsError) -> DataError:
    where = f"{origin.path}, {origin.set_name}: column '{task.label}'"
    return DataError(f"{where}: {error.sentence(f'+tasks.{task.name}.kind.')}", task.name)


def _no_label_column(task: Task, where: str) -> DataError:
    return DataError(f"{where}: task '{task.name}' reads its labels from column '{task.label}', which is missing")


def _open(origin: Origin, folder: Path) -> EncodedSet | None:
    """The set in a folder of the cache; None if it is not there or not whole (a disk that was full, a hand that edited)."""
    try:
        meta = Meta(**json.loads((folder / "meta.json").read_text()))
        ids = _mapped(folder / "ids.bin", meta.ids_dtype, meta.tokens)
        types = _mapped(folder / "types.bin", "uint8", meta.tokens) if meta.has_types else None
        offsets, labels = (
            _mapped(folder / "offsets.bin", "int64", meta.rows + 1),
            _mapped(folder / "labels.bin", "float32", meta.rows),
        )
        seconds = _mapped(folder / "seconds.bin", "int32", meta.rows) if meta.packed else None
        hashes = _mapped(folder / "hashes.bin", "uint64", meta.rows)
    except (OSError, ValueError, TypeError):
        return None
    return EncodedSet(origin, meta, ids, types, offsets, labels, seconds, hashes_N=hashes)


def _mapped(path: Path, dtype: str, size: int) -> np.ndarray:
    """An array on disk. Raises `ValueError` if it has not the size that it must have."""
    if path.stat().st_size != size * np.dtype(dtype).itemsize:
        raise ValueError(f"{path} is cut short")
    return np.memmap(path, dtype=dtype, mode="r") if size else np.empty(0, dtype)


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
    ids_dtype = "uint16" if len(tokenizer) <= 2**16 else "int32"
    with _building(folder) as scratch, _as_it_was(tokenizer), contextlib.ExitStack() as stack:
        out = {name: stack.enter_context((scratch / f"{name}.bin").open("wb")) for name in _ARRAYS}
        counts = _Counts(task.kind.column())
        out["offsets"].write(np.zeros(1, np.int64).tobytes())
        rows = origin.rows()
        while chunk := list(itertools.islice(rows, _CHUNK)):
            _write_chunk(task, chunk, tokenizer, out, counts, ids_dtype, need_labels)
        meta = Meta(
            rows=counts.rows, tokens=counts.tokens, max_id=counts.max_id, truncated=counts.truncated,
            fingerprint=fingerprint, has_types=counts.has_types, ids_dtype=ids_dtype, label_column=counts.label_column,
            packed=task.layout == "packed", empty_texts=counts.empty_texts, raw_labels=counts.labels.facts(),
        )  # fmt: skip
        if not meta.rows:
            raise DataError(f"{origin.path}: the {origin.set_name} set has no rows")
        for stream in out.values():
            stream.close()
        for name, wanted in (("types", meta.has_types), ("seconds", meta.packed)):
            if not wanted:
                (scratch / f"{name}.bin").unlink()
        (scratch / "meta.json").write_text(json.dumps(asdict(meta)))


@dataclass
class _Counts:
    labels: Column
    rows: int = 0
    tokens: int = 0
    max_id: int = 0
    truncated: int = 0
    empty_texts: int = 0
    has_types: bool = False
    label_column: bool = True


def _write_chunk(
    task: Task, chunk: Sequence[Row], tokenizer: PreTrainedTokenizerFast, out: Mapping[str, IO[bytes]], counts: _Counts,
    ids_dtype: str, need_labels: bool,
) -> None:  # fmt: skip
    codes = np.array([_code(row, task, need_labels, counts) for row in chunk], np.float32)
    rows = tokenised(task, chunk, tokenizer)
    ids = [np.array(row.ids, np.int64) for row in rows]
    types = np.concatenate([np.array(row.types, np.uint8) for row in rows])
    flat = np.concatenate(ids)
    ends = counts.tokens + np.cumsum([len(row) for row in ids])
    out["ids"].write(flat.astype(ids_dtype).tobytes())
    out["types"].write(types.tobytes())
    out["offsets"].write(ends.astype(np.int64).tobytes())
    out["labels"].write(codes.tobytes())
    hashes = np.array([row.text_hash for row in rows], np.uint64)
    out["hashes"].write(hashes.tobytes())
    out["seconds"].write(np.array([row.second for row in rows], np.int32).tobytes())
    counts.rows += len(chunk)
    counts.tokens += flat.size
    counts.max_id = max(counts.max_id, int(flat.max(initial=0)))
    counts.truncated += sum(row.cut for row in rows)
    counts.empty_texts += int((hashes == 0).sum())
    counts.has_types |= "token_type_ids" in tokenizer.model_input_names and bool(types.any())


def _code(row: Row, task: Task, need_labels: bool, counts: _Counts) -> float:
    if not need_labels and not row.has(task.label):
        counts.label_column = False
        return float("nan")
    return code_of(counts.labels, row, task.label, task.name)
