"""Parquet and Arrow files: columns with types, and with the names of classes where `datasets` wrote them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtl_cli.errors import DataError
from mtl_cli.tasks.rows import Row

_BATCH = 1024
_FILE_MAGIC = b"ARROW1"


def parquet_rows(path: Path) -> Iterator[Row]:
    """Rows of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file:
            yield from _rows(path, file.iter_batches(batch_size=_BATCH))
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:  # a damaged page is an OSError
        raise _unreadable(path, "Parquet", error) from error


def arrow_rows(path: Path) -> Iterator[Row]:
    """Rows of an Arrow file, as a stream (as `datasets` writes it) or with a footer."""
    import pyarrow

    try:
        with pyarrow.memory_map(str(path)) as source:
            batches = _batches(_opened(source))
            yield from _rows(path, (batch.slice(i, _BATCH) for batch in batches for i in range(0, len(batch), _BATCH)))
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise _unreadable(path, "Arrow", error) from error


def _opened(source: Any) -> Any:
    """A reader of either form of Arrow file."""
    import pyarrow.ipc

    has_footer = source.read(len(_FILE_MAGIC)) == _FILE_MAGIC
    source.seek(0)
    return pyarrow.ipc.open_file(source) if has_footer else pyarrow.ipc.open_stream(source)


def _batches(reader: Any) -> Iterator[Any]:
    if hasattr(reader, "num_record_batches"):
        return (reader.get_batch(i) for i in range(reader.num_record_batches))
    return iter(reader)


def _rows(path: Path, batches: Iterator[Any]) -> Iterator[Row]:
    number = 0
    for batch in batches:
        for values in batch.to_pylist():
            number += 1
            yield Row(f"{path}:{number}", values)


def _unreadable(path: Path, form: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return DataError(f"{path}: not readable as {form}: {reason}. Is the file whole? Write or fetch it anew")


def class_names_of_parquet(path: Path) -> dict[str, tuple[str, ...]]:
    """Names of the classes by column, in the order of their ids."""
    import pyarrow
    import pyarrow.parquet

    try:
        return _class_names(pyarrow.parquet.read_schema(path).metadata)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, "Parquet", error) from error


def class_names_of_arrow(path: Path) -> dict[str, tuple[str, ...]]:
    """Names of the classes by column, in the order of their ids."""
    import pyarrow

    try:
        with pyarrow.memory_map(str(path)) as source:
            return _class_names(_opened(source).schema.metadata)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, "Arrow", error) from error


def _class_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, tuple[str, ...]]:
    """What `datasets` keeps in a schema's metadata: {"info": {"features": {COLUMN: {"_type": "ClassLabel", "names": [...]}}}}."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {
            str(column): tuple(map(str, feature["names"]))
            for column, feature in features.items()
            if isinstance(feature, dict)
            and feature.get("_type") == "ClassLabel"
            and isinstance(feature.get("names"), list)
        }
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError):
        return {}  # other metadata than ours, or none
