"""A first look at a Parquet or Arrow file in a process of its own: on some damaged files the library aborts the process that reads them."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from mtl_cli.errors import DataError
from mtl_cli.tasks.formats import columnar_bounds as bounds

FILE_MAGIC = b"ARROW1\0\0"
_SECONDS = 60
"""What a look may take, and a second more for each _BYTES."""
_BYTES = 10_000_000
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from mtl_cli.tasks.formats.columnar_probe import main; main(sys.argv[1])"
)


def probe(path: Path) -> list[int]:
    """Look at a file in another process.

    Returns:
        Of a Parquet file, how many rows of each row group may be decoded at once.

    Raises:
        DataError: it is damaged, or grows too large.
    """
    facts = path.stat()
    return _probe(path, facts.st_mtime_ns, facts.st_size)


@functools.lru_cache(maxsize=256)
def _probe(path: Path, changed: int, size: int) -> list[int]:  # noqa: ARG001
    # Isolated: a file of the working folder is no module. The modules are those of this process.
    command = [sys.executable, "-I", "-c", _START, str(path), json.dumps([p for p in sys.path if p])]
    try:
        look = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS + size / _BYTES, check=False)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{path}: not readable: reading it does not end. {REMEDY}") from error
    try:
        answer = json.loads(look.stdout)
    except ValueError as error:
        raise DataError(f"{path}: not readable: the reader crashed ({_last_line(look.stderr)}). {REMEDY}") from error
    if isinstance(answer, str):
        raise DataError(answer)
    return list(answer)


REMEDY = "Is the file complete? Write or download it again"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1].strip()[:200]


def main(name: str) -> None:
    """Print what `probe` returns, or the message of an error, as JSON."""
    path = Path(name)
    look = _look_at_parquet if path.suffix.lower() == ".parquet" else _look_at_arrow
    answer: list[int] | str
    try:
        answer = look(path)
    except DataError as error:
        answer = str(error)
    except unreadable_errors() as error:
        answer = str(unreadable(path, error))
    sys.stdout.write(json.dumps(answer))


def unreadable_errors() -> tuple[type[Exception], ...]:
    """What the reader raises for a damaged file: a page is an OSError, a date out of range a ValueError, a length below 0 a SystemError."""
    import pyarrow

    return (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError, SystemError)


def unreadable(path: Path, error: Exception) -> DataError:
    """What is wrong with a damaged file."""
    form = "Parquet" if path.suffix.lower() == ".parquet" else "Arrow"
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return DataError(f"{path}: not readable as {form}: {reason}. {REMEDY}")


def _look_at_parquet(path: Path) -> list[int]:
    import pyarrow.parquet

    growth = bounds.Growth(str(path), path.stat().st_size)
    with pyarrow.parquet.ParquetFile(path) as file:
        bounds.check_parquet(file, growth)
        groups = range(file.metadata.num_row_groups)
        return [bounds.rows_at_once(bounds.parquet_longest(path, file, group, growth)) for group in groups]


def _look_at_arrow(path: Path) -> list[int]:
    import pyarrow
    import pyarrow.ipc

    growth = bounds.Growth(str(path), path.stat().st_size)
    with pyarrow.memory_map(str(path)) as source:
        begin = begin_of(source)
        for message in pyarrow.ipc.MessageReader.open_stream(source):
            bounds.check_message(message, growth)
        source.seek(begin)
        reader = pyarrow.ipc.open_stream(source)
        bounds.check_arrow(reader.schema, str(path))
        for batch in reader:
            batch.validate(full=True)  # what points beyond the file would be read all the same
            for column in batch.columns:
                bounds.longest(column)
    return []


def begin_of(source: Any) -> int:
    """Go to the first message, and say where it is. A file with a footer holds a stream behind its magic bytes."""
    begin = len(FILE_MAGIC) if source.read(len(FILE_MAGIC)) == FILE_MAGIC else 0
    source.seek(begin)
    return begin
