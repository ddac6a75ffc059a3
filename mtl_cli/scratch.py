"""Folders that are whole or not there: made next to their place under a hidden name, then moved.

A process holds a lock on the scratch folder that it fills, which tells what a killed process left from what is still filled.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

_ASIDE = ".replaced"
_NAME = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{6,8}(?P<aside>\.replaced)?")


@contextlib.contextmanager
def scratch_folder(final: Path) -> Iterator[Path]:
    """A locked, empty folder next to `final`; removed at the end unless it was moved.

    Raises:
        OSError: it cannot be made.
    """
    scratch = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}")
    with _locked(final.parent):
        scratch.mkdir()
        descriptor = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(descriptor)


def put_in_place(scratch: Path, final: Path) -> None:
    """Move a scratch folder to its place; the one that was there goes once the new one is there.

    Raises:
        OSError: it cannot be moved.
    """
    aside = scratch.with_name(scratch.name + _ASIDE)
    with _locked(final.parent):
        if final.exists():
            final.rename(aside)
        scratch.rename(final)
    shutil.rmtree(aside, ignore_errors=True)


def abandoned(folder: Path) -> list[Path]:
    """Scratch folders of killed processes, and the folders that these had put aside."""
    with contextlib.suppress(OSError):
        return sorted(p for p in folder.iterdir() if _NAME.fullmatch(p.name) and _is_free(p))
    return []


def recover(folder: Path) -> None:
    """Put back what a killed process had put aside and not replaced; remove its scratch folders."""
    with contextlib.suppress(OSError), _locked(folder):
        for path in abandoned(folder):
            found = _NAME.fullmatch(path.name)
            final = folder / found["name"] if found else path
            if found and found["aside"] and not final.exists():
                path.rename(final)
            else:
                shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Nobody else moves scratch folders in here meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_free(path: Path) -> bool:
    """Whether this is a folder, no link, that no process fills."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
