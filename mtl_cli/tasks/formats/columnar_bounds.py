"""What a columnar file may grow to. A dictionary lets a few bytes stand for gigabytes, so that size on disk says nothing."""

from __future__ import annotations

import struct
from typing import Any

from mtl_cli.errors import DataError
from mtl_cli.tasks.formats.base import EXPANSION, MAX_UNPACKED

BATCH = 1024
"""Rows at once."""
BUDGET = 1 << 26
"""Bytes of the values that are made of a file at once: 64 MiB."""
_SHORT = 16
"""Bytes of a value that has a fixed size, at most."""

_ROW = 16
"""Bytes that a row counts for besides its values: one byte of a file may stand for a million short rows, which take time."""


class Growth:
    """Counts the bytes that become of a file.

    Args:
        name: of the file, for messages.
        packed: its size on disk, in bytes.
    """

    def __init__(self, name: str, packed: int) -> None:
        self._name, self._packed = name, packed
        self._most, self._size = max(MAX_UNPACKED, EXPANSION * packed), 0

    def add(self, size: int) -> None:
        """Count some bytes. Raises `DataError` when they are too many for a file of its size."""
        self._size += size
        if self._size > self._most:
            raise DataError(
                f"{self._name}: {self._packed:,} bytes on disk expand to more than {self._most >> 20:,} MiB, over {EXPANSION} times their "
                "size: the file repeats a few values. If it is a data set, write it as JSON Lines"
            )


def rows_at_once(longest: int) -> int:
    """Rows whose values fit into the budget, if each is as long as the longest (in bytes)."""
    return max(1, min(BATCH, BUDGET // max(1, longest)))


def check_parquet(file: Any, growth: Growth) -> None:
    """Add up what the footer says of the rows and pages. Raises `DataError` if they are too large for the file."""
    growth.add(file.metadata.num_rows * _ROW)
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    for group in groups:
        for i in range(group.num_columns):
            growth.add(group.column(i).total_uncompressed_size)


def parquet_longest(path: Any, file: Any, group: int, growth: Growth) -> int:
    """Upper bound on the bytes of a row of a row group.

    Raises:
        DataError: a column of lists is too large for the file.
    """
    facts = file.metadata.row_group(group)
    total = 0
    for i in range(facts.num_columns):
        chunk, column = facts.column(i), file.schema.column(i)
        longest = _longest_of_chunk(path, chunk, column, group)
        if column.max_repetition_level:  # a row may hold all of the values
            growth.add(chunk.num_values * min(longest, _SHORT))
            longest = min(
                longest * chunk.num_values, longest * (chunk.num_values // max(1, facts.num_rows) + 1) * BATCH
            )
        total += longest
    return total


def _longest_of_chunk(path: Any, chunk: Any, column: Any, group: int) -> int:
    if column.physical_type == "FIXED_LEN_BYTE_ARRAY":
        return int(column.length)
    if column.physical_type != "BYTE_ARRAY":
        return _SHORT
    size = int(chunk.total_uncompressed_size)
    if size * BATCH <= BUDGET or "DELTA_BYTE_ARRAY" in chunk.encodings:
        return size
    if not any("DICTIONARY" in encoding for encoding in chunk.encodings):
        return _SHORT  # each value has its own bytes in the file, and all of them were counted
    return _longest_in_dictionary(path, chunk.path_in_schema, group)


def _longest_in_dictionary(path: Any, column: str, group: int) -> int:
    """Bytes of the longest value in a chunk's dictionary, which stands ahead of its rows."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path, read_dictionary=[column], buffer_size=1 << 16) as file:
        batches = file.iter_batches(batch_size=1, row_groups=[group], columns=[column])
        return max((longest(batch.column(0)) for batch in [next(batches, None)] if batch is not None), default=_SHORT)


def longest(column: Any) -> int:
    """Bytes of the longest value of an Arrow column, whatever stands for it."""
    import pyarrow.compute
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        return longest(column.dictionary)
    if types.is_run_end_encoded(kind):
        return longest(column.values)
    if types.is_struct(kind):
        return sum(longest(column.field(i)) for i in range(kind.num_fields))
    if types.is_nested(kind):
        lengths = pyarrow.compute.list_value_length(column) if not types.is_map(kind) else None
        most = len(column.values) if lengths is None else pyarrow.compute.max(lengths).as_py() or 0
        return most * longest(column.values)
    if _has_lengths(kind):
        return pyarrow.compute.max(pyarrow.compute.binary_length(column)).as_py() or 0
    return _SHORT


def _has_lengths(kind: Any) -> bool:
    from pyarrow import types

    return any(
        test(kind)
        for test in (
            types.is_string,
            types.is_large_string,
            types.is_binary,
            types.is_large_binary,
            types.is_fixed_size_binary,
        )
    )


def size_of(column: Any) -> int:
    """Bytes of all values of an Arrow column once none stands for another."""
    import pyarrow.compute
    from pyarrow import types

    if types.is_dictionary(column.type) and _has_lengths(column.type.value_type):
        lengths = pyarrow.compute.binary_length(column.dictionary)
        return int(pyarrow.compute.sum(lengths.take(column.indices)).as_py() or 0)
    return int(column.nbytes)


_VIEWS = ("string_view", "binary_view", "list_view", "large_list_view", "run_end_encoded")


def check_arrow(schema: Any, name: str) -> None:
    """Raise `DataError` for columns whose values share their bytes in ways that cannot be counted."""
    for field in schema:
        if any(view in str(field.type) for view in _VIEWS):
            raise DataError(
                f"{name}: column '{field.name}' has the type {str(field.type)[:60]}, which is not read: write it as string"
            )


def check_message(message: Any, growth: Growth) -> None:
    """Add up what the buffers of an Arrow message unpack to. Raises `DataError` if that is too much for the file."""
    try:
        growth.add(_unpacked_size(memoryview(message.metadata), memoryview(message.body or b"")))
    except (struct.error, IndexError):
        growth.add(message.body.size if message.body else 0)  # no batch; what is damaged the reader says


def _unpacked_size(meta: memoryview, body: memoryview) -> int:
    """Bytes of a batch: of each packed buffer, its first 8 bytes say what it unpacks to (Arrow columnar format, Message.fbs)."""
    message = struct.unpack_from("<I", meta, 0)[0]
    kind = meta[_field(meta, message, 1)]
    batch = _table(meta, message, 2)
    if kind == _DICTIONARY_BATCH:
        batch = _table(meta, batch, 1)
    elif kind != _RECORD_BATCH:
        return 0
    if not _field(meta, batch, 3):  # no compression
        return len(body)
    vector = _table(meta, batch, 2)
    total = 0
    for i in range(struct.unpack_from("<I", meta, vector)[0]):
        begin, size = struct.unpack_from("<qq", meta, vector + 4 + 16 * i)
        if size:
            unpacked = struct.unpack_from("<q", body, begin)[0]
            total += size if unpacked == -1 else abs(unpacked)
    return total


_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3


def _field(meta: memoryview, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table stands; 0 if it is left out."""
    vtable = table - struct.unpack_from("<i", meta, table)[0]
    place = 4 + 2 * number
    if place >= struct.unpack_from("<H", meta, vtable)[0]:
        return 0
    offset: int = struct.unpack_from("<H", meta, vtable + place)[0]
    return table + offset if offset else 0


def _table(meta: memoryview, table: int, number: int) -> int:
    """Where the table or vector begins that a field refers to."""
    place = _field(meta, table, number)
    return int(place + struct.unpack_from("<I", meta, place)[0])
