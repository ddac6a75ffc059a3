"""What the readers of text formats share: options, and a stream of text that is bounded however it is packed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import IO, Any, Literal

from mtl_cli.errors import DataError

MAX_LINE = 1 << 26
"""Bytes of a line, and characters of one JSON value: 64 MiB. What is longer is no row but a file without line ends."""
EXPANSION = 200
"""Times its size on disk that a compressed file may grow to; text shrinks to a third or, in logs, to a hundredth."""
MAX_UNPACKED = 1 << 26
"""Bytes up to which a compressed file may grow whatever its size: 64 MiB."""
Quoting = Literal["auto", "csv", "none"]
_BLOCK = 1 << 13
_MARK = b"\xef\xbb\xbf"
_MAGIC = (
    (b"PAR1", "Parquet", "name it .parquet"),
    (b"ARROW1", "Arrow", "name it .arrow"),
    (b"\x1f\x8b", "gzip", "let its name end in .gz"),
    (b"PK\x03\x04", "a zip archive (as Excel's .xlsx is)", "save it as CSV, or unpack it"),
    (b"BZh", "bzip2", "unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "xz", "unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unpack it, or pack it with gzip"),
    (b"\x80\x02", "a pickle, which can run code", "write it as JSON Lines or Parquet"),
    (b"\x80\x03", "a pickle, which can run code", "write it as JSON Lines or Parquet"),
    (b"\x80\x04", "a pickle, which can run code", "write it as JSON Lines or Parquet"),
    (b"\x80\x05", "a pickle, which can run code", "write it as JSON Lines or Parquet"),
    (b"\xff\xfe", 'UTF-16 text (as Excel\'s "Unicode Text" is)', "convert it to UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "convert it to UTF-8"),
)


@dataclass(frozen=True)
class Options:
    """How a file with delimiters is read."""

    delimiter: str | None = None
    """None: the suffix's own, or the one that the header shows."""
    quoting: Quoting = "auto"
    """Whether a field may stand in quotes: csv, none, or what the file shows."""
    key: str = "source"
    """Dotted key of the section that holds these options, for messages."""


@dataclass(frozen=True)
class Dialect:
    """Delimiter and quoting of a file."""

    delimiter: str
    is_quoted: bool
    skipped: int = 0
    """Lines ahead of the header."""


class BoundedBytes(io.BufferedIOBase):
    """A binary stream that refuses a line without end and a file that grows without measure. Counts lines for messages.

    Args:
        binary: what is read; it stays open.
        name: for messages.
        packed: bytes on disk, if the stream is unpacked from them.
    """

    def __init__(self, binary: IO[bytes], name: str, packed: int | None = None) -> None:
        self._binary: Any = binary if hasattr(binary, "peek") else io.BufferedReader(binary)
        self._name = name
        self._most = None if packed is None else max(MAX_UNPACKED, EXPANSION * packed)
        self._packed = packed
        self._size = self._open = 0
        self._lines = self._lines_before = 0
        self.bounds_lines = True

    def readable(self) -> bool:
        """Always."""
        return True

    def head(self) -> bytes:
        """The next bytes, which stay to be read, from the first that is no white space on."""
        return self._binary.peek(_BLOCK).removeprefix(_MARK).lstrip()

    def read1(self, size: int = -1, /) -> bytes:
        """The next bytes.

        Raises:
            DataError: a line, or the whole, is too long.
        """
        block: bytes = self._binary.read1(size)
        count = block.count(b"\n")
        self._lines_before = self._lines
        self._lines += count
        self._size += len(block)
        self._open = len(block) - block.rfind(b"\n") if count else self._open + len(block)
        if self.bounds_lines and self._open > MAX_LINE:
            raise DataError(
                f"{self._name}:{self._lines + 1}: the line has more than {MAX_LINE >> 20} MiB. Write a row per line"
            )
        if self._most is not None and self._size > self._most:
            raise DataError(
                f"{self._name}: {self._packed:,} bytes expand to more than {self._most >> 20:,} MiB, {EXPANSION} times their size or more. "
                "Is this a data set? To read it anyway, unpack it"
            )
        return block

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; TextIOWrapper asks for them block by block."""
        return self.read1(-1 if size is None else size)

    def line_of(self, error: UnicodeDecodeError) -> int:
        """Number of the line in which a decoder stopped."""
        return self._lines_before + error.object[: error.start].count(b"\n") + 1


class TextSource:
    """UTF-8 text of a file or stream.

    Args:
        binary: what is read; it stays open.
        name: for messages.
        packed: bytes on disk, if the stream is unpacked from them.

    Raises:
        DataError: the bytes are those of another format.
    """

    def __init__(self, binary: IO[bytes], name: str, packed: int | None = None) -> None:
        self.name = name
        self.bytes = BoundedBytes(binary, name, packed)

    def head(self) -> str:
        """The first letters that are no white space, which stay to be read.

        Raises:
            DataError: the bytes are those of another format.
        """
        head = self.bytes.head()
        for magic, what, remedy in _MAGIC:
            if head.startswith(magic):
                raise DataError(f"{self.name}: holds {what}, and is read as text: {remedy}")
        return head.decode(errors="replace")

    def text(self, newline: str | None = None) -> IO[str]:
        """The text from here on. A byte-order mark, as spreadsheets write it, is no part of it."""
        return io.TextIOWrapper(self.bytes, encoding="utf-8-sig", newline=newline)  # type: ignore[type-var]
