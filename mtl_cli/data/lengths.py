"""Cutting rows into batches by length, where no gradient is at stake."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def token_batches(lengths: np.ndarray, batch_tokens: int) -> Iterator[np.ndarray]:
    """Cut rows, longest first, into batches of at most so many padded tokens (a longer row goes alone).

    Args:
        lengths: tokens of each row.
        batch_tokens: rows times the longest of them, at most.

    Yields:
        Indices into `lengths`.
    """
    order = np.argsort(-lengths, kind="stable")
    at = 0
    while at < len(order):
        rows = max(1, batch_tokens // max(1, int(lengths[order[at]])))
        yield order[at : at + rows]
        at += rows
