"""Signals while a run trains."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager

from mtl_cli.signals import stop_signals_to
from mtl_cli.train.loop import Stop

log = logging.getLogger(__name__)


def signals_to(stop: Stop) -> AbstractContextManager[None]:
    """Ctrl-C and SIGTERM ask the loop to save and stop; a second one ends it at once."""

    def handle(number: int) -> None:
        if stop.signal_number is not None:
            raise KeyboardInterrupt
        stop.signal_number = number
        log.info("stopping: saving the state first (again to stop at once)")

    return stop_signals_to(handle)
