"""Encoded sets and tasks made by hand."""

from pathlib import Path

import numpy as np

from mtl_cli.data.encoded import EncodedSet, Meta
from mtl_cli.tasks.files import read_file
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.source import Origin, file_digest
from mtl_cli.tasks.task import Source, Task
from tests.fakes import single


def encoded_set(lengths, labels=None, types=False, first_id=1000):
    """Row i holds the ids first_id + 100 i, first_id + 100 i + 1, ...: each id says whose it is."""
    lengths = np.asarray(lengths)
    ids = np.concatenate([first_id + 100 * i + np.arange(n) for i, n in enumerate(lengths)]).astype(np.int32)
    labels = np.arange(len(lengths)) if labels is None else labels
    meta = Meta(rows=len(lengths), tokens=len(ids), max_id=int(ids.max()), truncated=0, fingerprint="")
    origin = Origin("file", "train", "made by hand", lambda: "", lambda: iter(()))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return EncodedSet(origin, meta, ids, np.ones(len(ids), np.uint8) if types else None, offsets, **single(labels))


def pair_task(kind=None, max_length=64, text=("a", "b"), name="nli"):
    """A task over columns a, b and label."""
    source = Source(hub=None, subset=None, folder=name, bundled=None, files={}, sets={})
    kind = kind or Classification(labels=["no", "yes"])
    return Task(name, kind, text, "label", ("accuracy",), source, max_length)


def file_origin(path: Path):
    """The rows of a file, and how often they were read."""
    reads = []

    def rows():
        reads.append(path)
        return read_file(path)

    return Origin("file", path.stem, str(path), lambda: file_digest(path), rows), reads
