"""Parquet and Arrow files: columns with types, and with the names of classes where `datasets` wrote them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtl_cli.tasks.features import class_names_of
from mtl_cli.tasks.formats import columnar_bounds as bounds
from mtl_cli.tasks.formats.columnar_probe import begin_of, probe, unreadable, unreadable_errors
from mtl_cli.tasks.rows import Row


def parquet_rows(path: Path) -> Iterator[Row]:
    """Rows of a Parquet file."""
    import pyarrow.parquet

    sizes = probe(path)
    try:
        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file:
            groups = enumerate(sizes)
            yield from _rows(path, (b for i, n in groups for b in file.iter_batches(batch_size=n, row_groups=[i])))
    except unreadable_errors() as error:
        raise unreadable(path, error) from error


def arrow_rows(path: Path) -> Iterator[Row]:
    """Rows of an Arrow file, as a stream (as `datasets` writes it) or with a footer."""
    import pyarrow
    import pyarrow.ipc

    probe(path)
    try:
        with pyarrow.memory_map(str(path)) as source:
            begin_of(source)
            yield from _rows(path, iter(pyarrow.ipc.open_stream(source)))
    except unreadable_errors() as error:
        raise unreadable(path, error) from error


def _rows(path: Path, batches: Iterator[Any]) -> Iterator[Row]:
    growth = bounds.Growth(str(path), path.stat().st_size)
    number = 0
    for batch in batches:
        growth.add(sum(bounds.size_of(column) for column in batch.columns))
        rows = bounds.rows_at_once(sum(bounds.longest(column) for column in batch.columns))
        for begin in range(0, len(batch), rows):
            for values in batch.slice(begin, rows).to_pylist():
                number += 1
                yield Row(f"{path}:{number}", values)


def class_names_of_parquet(path: Path) -> dict[str, tuple[str, ...]]:
    """Names of the classes by column, in the order of their ids."""
    import pyarrow.parquet

    probe(path)
    try:
        return _class_names(pyarrow.parquet.read_schema(path).metadata)
    except unreadable_errors() as error:
        raise unreadable(path, error) from error


def class_names_of_arrow(path: Path) -> dict[str, tuple[str, ...]]:
    """Names of the classes by column, in the order of their ids."""
    import pyarrow
    import pyarrow.ipc

    probe(path)
    try:
        with pyarrow.memory_map(str(path)) as source:
            begin_of(source)
            return _class_names(pyarrow.ipc.open_stream(source).schema.metadata)
    except unreadable_errors() as error:
        raise unreadable(path, error) from error


def _class_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, tuple[str, ...]]:
    """What `datasets` keeps in a schema's metadata: {"info": {"features": {COLUMN: {"_type": "ClassLabel", "names": [...]}}}}."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (LookupError, TypeError, ValueError, RecursionError):
        return {}  # other metadata than ours, or none
    return class_names_of(features)
