"""metrics.jsonl: what happened at which step, one JSON object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any

from mtl_cli.runs.files import explained, plain
from mtl_cli.runs.place import Place


class MetricsLog:
    """Appends records; each is on disk when `write` returns.

    Args:
        path: the file.
        keep: bytes to keep of what is there: what was written before the checkpoint that a resumed run goes on from.
        place: the run folder; checked before each record. None: whatever the path names.
        key: config key by which the place is chosen, for messages.
    """

    def __init__(self, path: Path, keep: int, place: Place | None = None, key: str = "run.outputs") -> None:
        self._path, self._place, self._key = path, place, key
        if place is not None:
            place.check()
        with explained(path.parent, key):
            self._stream: IO[bytes] = path.open("r+b" if path.exists() else "w+b")
            # A file that was lost or cut since then is not filled up with zeros.
            self._stream.truncate(min(keep, path.stat().st_size))
            self._stream.seek(0, os.SEEK_END)

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._stream.tell()

    def write(self, record: dict[str, Any]) -> None:
        """Add one line. Raises `RunError` if that fails, or the run folder has gone."""
        if self._place is not None:
            self._place.check()
        with explained(self._path.parent, self._key):
            self._stream.write((json.dumps(plain(record), ensure_ascii=False) + "\n").encode())
            self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        with explained(self._path.parent, self._key):  # after a write that failed, this tries once more
            self._stream.close()
