"""Digests: what has the same one is the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_BLOCK = 1 << 22
"""Bytes of a file that are held at once."""


def json_digest(value: Any) -> str:
    """SHA-256, in hexadecimal, of a value as JSON; the order of a mapping's keys does not count."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def content_digest(path: Path) -> str:
    """SHA-256, in hexadecimal, of a file's content. Raises `OSError` if it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
