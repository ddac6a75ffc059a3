"""A set of rows on disk: one Arrow stream with one record batch, memory-mapped, each array seen by numpy without a copy.

Anything that reads Arrow can look at it, such as `datasets.Dataset.from_file`. What a reader must know beside the arrays stands
in the metadata of the schema. Columns are first written to flat files as their rows come, since neither the rows nor their number
need to fit into memory; Arrow then copies these once.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from mtl_cli.tasks.columns import Column, ColumnSpec

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = "rows.arrow"
_KEY = b"mtl"
_END = b"\xff\xff\xff\xff\0\0\0\0"
"""What every stream ends with."""


class StoreWriter:
    """Writes the columns of a set, a few rows at a time; a context manager.

    Args:
        folder: empty; holds the set's file when `finish` has been called.
        specs: of the columns.
    """

    def __init__(self, folder: Path, specs: Mapping[str, ColumnSpec]) -> None:
        self._folder, self._specs = folder, specs
        self._rows = 0
        self._ends = dict.fromkeys(specs, 0)
        with contextlib.ExitStack() as stack:
            self._streams = {name: stack.enter_context(self._flat(name).open("wb")) for name in specs}
            self._offsets: dict[str, IO[bytes]] = {}
            for name in (name for name, spec in specs.items() if spec.ragged):
                self._offsets[name] = stack.enter_context(self._flat(f"{name}.offsets").open("wb"))
                self._offsets[name].write(np.zeros(1, np.int64).tobytes())
            self._open = stack.pop_all()

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Append some rows: of each column a value a row, or an array of them where it is ragged."""
        self._rows += len(next(iter(columns.values())))
        for name, rows in columns.items():
            dtype = self._specs[name].dtype
            if not self._specs[name].ragged:
                self._streams[name].write(np.asarray(rows, dtype).tobytes())
                continue
            ends = self._ends[name] + np.cumsum([len(row) for row in rows])
            self._ends[name] = int(ends[-1])
            self._streams[name].write(np.concatenate([np.asarray(row, dtype) for row in rows]).tobytes())
            self._offsets[name].write(ends.astype(np.int64).tobytes())

    def finish(self, meta: Mapping[str, Any], left_out: Sequence[str] = ()) -> None:
        """Put the columns into the set's file.

        Args:
            meta: plain JSON values for its reader.
            left_out: columns that turned out to hold nothing.
        """
        import pyarrow as pa

        self._open.close()
        arrays = {name: self._array(name, spec) for name, spec in self._specs.items() if name not in left_out}
        schema = pa.schema(
            [pa.field(name, array.type) for name, array in arrays.items()], {_KEY: json.dumps(meta).encode()}
        )
        batch = pa.record_batch(list(arrays.values()), schema=schema)
        with pa.OSFile(str(self._folder / _FILE), "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
            stream.write_batch(batch)
        for path in self._folder.glob("*.flat"):
            path.unlink()

    def _flat(self, name: str) -> Path:
        return self._folder / f"{name}.flat"

    def _array(self, name: str, spec: ColumnSpec) -> pa.Array:
        import pyarrow as pa

        values = _on_disk(self._flat(name), spec.dtype)
        if not spec.ragged:
            return pa.array(values)
        offsets = _on_disk(self._flat(f"{name}.offsets"), "int64")
        return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def _on_disk(path: Path, dtype: str) -> np.ndarray:
    return np.memmap(path, dtype, mode="r") if path.stat().st_size else np.empty(0, dtype)


def open_store(folder: Path) -> tuple[dict[str, Column[np.ndarray]], dict[str, Any]] | None:
    """The columns of a set and what was written beside them; None if it is not there or not whole."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(folder / _FILE)) as source, pa.ipc.open_stream(source) as stream:
            batch = stream.read_next_batch()
            source.seek(source.size() - len(_END))
            if source.read() != _END:
                return None
        meta = json.loads(batch.schema.metadata[_KEY])
        return dict(_columns(batch)), meta
    except (OSError, ValueError, TypeError, KeyError, StopIteration):  # Arrow's own errors are among them
        return None


def _columns(batch: pa.RecordBatch) -> Iterator[tuple[str, Column[np.ndarray]]]:
    import pyarrow as pa

    batch.validate(full=True)
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_large_list(array.type):
            offsets = array.offsets.to_numpy(zero_copy_only=True)
            yield name, Column(array.values.to_numpy(zero_copy_only=True), offsets)
        else:
            yield name, Column(array.to_numpy(zero_copy_only=True))
