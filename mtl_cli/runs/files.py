"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtl_cli.errors import RunError


@contextlib.contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write into a message."""
    try:
        yield
    except OSError as error:
        raise RunError(why(folder, error)) from error


def why(folder: Path, error: OSError) -> str:
    """One sentence on a failed write and the remedy."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left to write in {folder}. Free some, or write elsewhere with run.outputs=DIR; what was saved before is whole."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no right to write in {folder}. Choose another folder with run.outputs=DIR or MTL_OUTPUTS."
    return f"cannot write in {folder}: {error.strerror or error}. Choose another folder with run.outputs=DIR or MTL_OUTPUTS."


def write_text(path: Path, text: str) -> None:
    """Write a file under another name, then move it into place."""
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with scratch.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write plain values, NaN as null, in a form that is easy to read and to compare."""
    write_text(path, json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")


def plain(value: Any) -> Any:
    """The same values with NaN and infinities as None: JSON has no word for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value


def sha256(path: Path) -> str:
    """Digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
