"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtl_cli.errors import RunError


@contextlib.contextmanager
def explained(folder: Path, key: str = "run.outputs") -> Iterator[None]:
    """Turn an operating system's refusal to write into a message.

    Args:
        folder: that is written in.
        key: config key by which the place is chosen; empty inside a run folder that was there before.
    """
    try:
        yield
    except OSError as error:
        raise RunError(why(folder, error, key)) from error


def why(folder: Path, error: OSError, key: str = "run.outputs") -> str:
    """One sentence on a failed write and the remedy; `key` as in `explained`."""
    place = f"{key}=DIR" if key.endswith(".outputs") else f"{key}=PATH"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        elsewhere = f", or write elsewhere with {place}" if key else ""
        return f"no space left to write in {folder}. Free some{elsewhere}; what was saved before is whole."
    if error.errno == errno.ENAMETOOLONG:
        shorter = (
            f"Give a shorter one with {key.removesuffix('outputs')}name"
            if key.endswith("outputs")
            else "Give a shorter one"
        )
        return f"cannot write in {shortened(folder)}: the name is too long. {shorter}."
    variable = " or MTL_OUTPUTS" if key.endswith(".outputs") else ""
    remedy = (
        f"Choose another folder with {place}{variable}" if key else "Let it be written, or work on a copy of the run"
    )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"permission denied: {folder} cannot be written. {remedy}."
    return f"cannot write in {folder}: {error.strerror or error}. {remedy}."


def shortened(path: Path) -> str:
    """A path for a message, at most 100 letters of it."""
    text = str(path)
    return text if len(text) <= 100 else f"{text[:100]}..."


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


_SCRATCH = re.compile(r"\..+\.(json|jsonl|txt|yaml|csv)\.[0-9a-f]{8}")


def scratch_files(folder: Path) -> list[Path]:
    """What `write_text` leaves in a folder when its process is killed. Whoever writes there holds the folder's lock."""
    with contextlib.suppress(OSError):
        return sorted(p for p in folder.iterdir() if _SCRATCH.fullmatch(p.name) and not p.is_symlink() and p.is_file())
    return []
