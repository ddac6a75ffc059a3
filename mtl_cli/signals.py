"""Handlers of Ctrl-C and SIGTERM, set for a while."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_signals_to(handle: Callable[[int], None]) -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM call `handle` with their number; the handlers from before come back at the end.

    In a thread other than the main one, which gets no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {n: signal.signal(n, lambda number, _: handle(number)) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
