"""What a run records and reports of its data: rows used and left out, labels, duplicates. Legend: N rows, M training rows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mtl_cli.assemble.tasks import BoundTask
from mtl_cli.data.encoded import EncodedSet
from mtl_cli.redact import redact
from mtl_cli.runs.formats import DataRecord
from mtl_cli.tasks.columns import chosen
from mtl_cli.tasks.kinds.column import Reading, row_count

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SetFacts:
    """Facts about one set of rows of one task."""

    task: str
    set_name: str
    split: str
    place: str
    path: str
    fingerprint: str
    """Digest of the raw content."""
    rows: int
    used: int
    """Rows that are trained on or scored: those with a label, within `data.limit` or `eval.limit`."""
    unlabelled: int
    tokens: int
    truncated: int
    """Rows of the whole set that were cut to `data.max_length`."""
    max_length: int
    empty_texts: int
    """Used rows with a text that has no visible character."""
    duplicates: int
    """Used rows whose texts an earlier used row of the set has too."""
    in_train: int
    """Used rows whose texts a used training row has too."""
    absent_classes: tuple[str, ...]
    """Classes of no used row."""
    labels: Reading | None
    """How raw labels are read."""
    note: str

    @property
    def name(self) -> str:
        """Task and set."""
        return f"{self.task}.{self.set_name}"

    def record(self) -> dict[str, Any]:
        """The facts as plain JSON values."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """A line for each number that is not zero."""
        of = f"{self.task}, {self.set_name}:"
        if self.truncated:
            yield (
                f"{of} {self.truncated:,} of {row_count(self.rows)} are truncated to {self.max_length} tokens (data.max_length)"
            )
        if self.unlabelled:
            yield f"{of} {self.unlabelled:,} of {row_count(self.rows)} have no label and are left out"
        if self.absent_classes:
            yield f"{of} no row has the label {_some(self.absent_classes)}"
        if self.empty_texts:
            yield f"{of} {row_count(self.empty_texts)} with an empty text"
        if self.in_train:
            yield f"{of} {self.in_train:,} of {row_count(self.used)} have the same texts as a training row, so scores are optimistic"
        if self.duplicates:
            yield f"{of} {self.duplicates:,} of {row_count(self.used)} have the same texts as an earlier row"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f", ... ({len(names):,} labels)" if len(names) > 6 else "")


def data_facts(
    tasks: Mapping[str, BoundTask], sets: Mapping[str, Sequence[EncodedSet]], split: str,
    train: Mapping[str, tuple[EncodedSet, np.ndarray]] | None = None,
) -> list[SetFacts]:  # fmt: skip
    """Facts about the training rows, if there are any, and about other sets.

    Args:
        tasks: by name.
        sets: other than the training set, of each task.
        split: that these are.
        train: training set of each task, and the numbers of the rows that are used.
    """
    facts = []
    for name, listed in sets.items():
        bound, hashes_M = tasks[name], None
        if train is not None:
            encoded, rows = train[name]
            hashes_M = _hashes(encoded, rows)
            facts.append(_facts(bound, encoded, "train", rows, None))
        facts += [_facts(bound, one, split, np.flatnonzero(one.labelled_N), hashes_M) for one in listed]
    return facts


def _facts(
    bound: BoundTask, encoded: EncodedSet, split: str, rows: np.ndarray, hashes_M: np.ndarray | None
) -> SetFacts:
    task, meta, origin = bound.task, encoded.meta, encoded.origin
    hashes_N = _hashes(encoded, rows)
    return SetFacts(
        task=task.name, set_name=origin.set_name, split=split, place=origin.place, path=redact(origin.path),
        fingerprint=meta.fingerprint, rows=meta.rows, used=len(rows), tokens=meta.tokens,
        unlabelled=encoded.unlabelled if bound.needs_labels else 0,
        truncated=meta.truncated, max_length=task.max_length, empty_texts=len(rows) - len(hashes_N) if encoded.hashes_N is not None else 0,
        duplicates=len(hashes_N) - len(np.unique(hashes_N)),
        in_train=0 if hashes_M is None else int(np.isin(hashes_N, hashes_M).sum()),
        absent_classes=task.kind.absent(chosen(encoded.targets, rows)) if len(rows) else (),
        labels=encoded.reading, note=origin.note,
    )  # fmt: skip


def _hashes(encoded: EncodedSet, rows: np.ndarray) -> np.ndarray:
    """Hashes of the texts of some rows; those with an empty text are left out."""
    if encoded.hashes_N is None:
        return np.empty(0, np.uint64)
    hashes_N = np.asarray(encoded.hashes_N)[rows]
    return hashes_N[hashes_N != 0]


def report_data(facts: Sequence[SetFacts]) -> None:
    """Log how labels are read, where they do not say so themselves, and what is missing or repeated."""
    first: dict[str, SetFacts] = {}
    for one in facts:
        before = first.setdefault(one.task, one)
        if one.labels is None:
            continue
        if one is before and (one.labels.meaning or one.labels.no_label):
            log.info("labels   %s: %s labels are read as %s", one.task, one.set_name, one.labels.line)
        elif before.labels is not None and one.labels.values not in ("none", before.labels.values):
            differ = f"those of {one.set_name} are read as {one.labels.line}, those of {before.set_name} as {before.labels.values}"
            log.warning("%s: labels differ: %s", one.task, differ)
    for line in (line for one in facts for line in one.lines()):
        log.warning("%s", line)


def describe_data(facts: Sequence[SetFacts]) -> dict[str, Any]:
    """The facts as a run records them: by task and set."""
    return {one.name: one.record() for one in facts}


def data_line(facts: Sequence[SetFacts]) -> str:
    """One line that says where the rows come from and how many of them are used."""
    places: dict[str, dict[str, list[str]]] = {}
    for one in facts:
        places.setdefault(one.note or one.place, {}).setdefault(one.task, []).append(f"{one.used:,}")
    splits = "/".join(dict.fromkeys(one.split for one in facts))
    listed = [f"{place}: {', '.join(_counts(tasks))}" for place, tasks in places.items()]
    return f"{'; '.join(listed)} ({splits} rows used)"


def _counts(tasks: Mapping[str, Sequence[str]]) -> Iterator[str]:
    return (f"{task} {'/'.join(rows)}" for task, rows in tasks.items())


def recorded_readings(data: Mapping[str, DataRecord]) -> dict[str, Reading]:
    """How a run read the labels of its training rows, by task; nothing where it did not record it.

    Args:
        data: section of its env.json.
    """
    return {
        one.task: Reading(**asdict(one.labels))
        for one in data.values()
        if one.task is not None and one.labels is not None and one.split == "train"
    }
