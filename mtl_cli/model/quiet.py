"""Keeps the model library's bars and load reports off our output."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from transformers.utils import logging as library


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Inside, the library reports errors alone."""
    level, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()  # type: ignore[no-untyped-call]
    library.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        library.set_verbosity(level)
        if bars:
            library.enable_progress_bar()  # type: ignore[no-untyped-call]
