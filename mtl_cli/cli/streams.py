"""Standard output and error as a command may use them: what cannot be written is an error in prose, and nobody waits for it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from mtl_cli.errors import OutputError


class _Stream:
    """A text stream; what is not named here is that of the stream below."""

    def __init__(self, below: TextIO | None) -> None:
        self._below = below

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)

    def isatty(self) -> bool:
        """Whether someone looks at it; no one looks at a closed stream."""
        return self._below is not None and self._below.isatty()

    def write(self, text: str) -> int:
        """Write a text; what the encoding lacks is written as its code point."""
        if self._below is None:
            return self.refuse("it is closed")
        try:
            return self._below.write(text)
        except UnicodeEncodeError:
            encoding = self._below.encoding
            return self._below.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError as error:
            return self._failed(error)

    def flush(self) -> None:
        """Hand on what is buffered."""
        if self._below is None:
            return
        try:
            self._below.flush()
        except OSError as error:
            self._failed(error)

    def abandon(self) -> None:
        """Drop what is buffered and cannot be written, else Python reports it once more at its end."""
        if self._below is not None:
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._below.fileno())

    def refuse(self, reason: str) -> int:
        """What happens to a text that cannot be written."""
        raise OutputError(f"cannot write to standard output: {reason}")

    def _failed(self, error: OSError) -> int:
        if isinstance(error, BrokenPipeError):
            self.abandon()
            # Without a number: the command-line library would exit with 1 for one that has it.
            raise BrokenPipeError from None
        return self.refuse(error.strerror or str(error))


class _Messages(_Stream):
    """Standard error: work does not stop because a message cannot be written. log.txt of a run has it too."""

    def refuse(self, reason: str) -> int:  # noqa: ARG002
        self.abandon()
        return 0


def _open_closed_descriptors() -> None:
    """Else the next files that are opened are standard input, output and error."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


@contextlib.contextmanager
def guarded_streams() -> Iterator[None]:
    """Inside, standard output and error are as above; at the end of a command that did not fail, output is flushed.

    Raises:
        OutputError: standard output is closed or takes no more, and something was written to it.
        BrokenPipeError: its reader has gone.
    """
    _open_closed_descriptors()
    before = sys.stdout, sys.stderr
    output, messages = _Stream(sys.stdout), _Messages(sys.stderr)
    sys.stdout, sys.stderr = output, messages
    try:
        try:
            yield
        except SystemExit as error:
            if not error.code:
                output.flush()
            raise
        output.flush()
    finally:
        for stream in (output, messages):
            try:
                stream.flush()
            except (OutputError, BrokenPipeError):
                stream.abandon()
        sys.stdout, sys.stderr = before
