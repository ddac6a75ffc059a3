"""Messages: to standard error, and to a run's log.txt."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtl_cli.redact import redact
from mtl_cli.runs.files import explained

_ROOT = logging.getLogger("mtl_cli")


class _Stderr(logging.Handler):
    """Writes to whatever sys.stderr is now, so that a progress bar can put messages above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "warning  " if record.levelno == logging.WARNING else ""
        sys.stderr.write(f"{prefix}{redact(self.format(record))}\n")
        sys.stderr.flush()


class _Redacted(logging.Formatter):
    """Writes no value of the environment into a file."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def setup_messages(quiet: bool = False) -> None:
    """Send our messages to standard error; with `quiet`, warnings alone."""
    if not any(isinstance(h, _Stderr) for h in _ROOT.handlers):
        _ROOT.addHandler(_Stderr())
    _ROOT.setLevel(logging.INFO)
    _ROOT.propagate = False
    for handler in _ROOT.handlers:
        if isinstance(handler, _Stderr):
            handler.setLevel(logging.WARNING if quiet else logging.INFO)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)


@contextmanager
def logging_to(path: Path, quiet: bool, key: str = "run.outputs") -> Iterator[None]:
    """Send messages to a file too; with `quiet` to neither (the other processes of a distributed run)."""
    if quiet:
        _ROOT.setLevel(logging.CRITICAL)
        yield
        return
    with explained(path.parent, key):
        handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_Redacted("%(asctime)s %(levelname)-7s %(message)s"))
    _ROOT.addHandler(handler)
    try:
        yield
    finally:
        _ROOT.removeHandler(handler)
        handler.close()
