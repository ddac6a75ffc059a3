"""Signals while a run trains."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mtl_cli.train.loop import Stop

log = logging.getLogger(__name__)


@contextmanager
def signals_to(stop: Stop) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask the loop to save and stop; a second one ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if stop.signal_number is not None:
            raise KeyboardInterrupt
        stop.signal_number = number
        log.info("stopping: saving the state first (again to stop at once)")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
