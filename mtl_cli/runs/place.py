"""Where a run writes: one folder and no other, whatever links or moves say."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from mtl_cli.errors import ConfigError, RunError

_STEP = re.compile(r"step_\d+", re.ASCII)
_APPENDED = re.compile(r"\.lock|log\.txt|.+\.jsonl|.+\.journal")
"""Files that are written in place; all others are replaced by a whole new file."""


@dataclass(frozen=True)
class Place:
    """A folder by its identity: a path may come to name another one."""

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Place:
        """The folder that a path names now. Raises `RunError` if there is none."""
        try:
            found = path.stat()
        except OSError as error:
            raise RunError(f"{path} is not there any more: {error.strerror}. Nothing was written.") from error
        return cls(path, found.st_dev, found.st_ino)

    @property
    def is_there(self) -> bool:
        """Whether the path still names this folder."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (self.device, self.inode)

    def check(self) -> None:
        """Raise `RunError` if the folder has gone, or another one has taken its place."""
        if not self.is_there:
            raise self.gone()

    def gone(self) -> RunError:
        """What to say when the folder is not there any more."""
        what = "was replaced by another folder" if os.path.lexists(self.path) else "has gone: it was removed or moved"
        return RunError(
            f"{self.path} {what} while it was written to. Nothing was written or deleted there since. "
            "If it was moved, resume it where it is now; else begin again."
        )


def is_file(path: Path) -> bool:
    """Whether there is a file; false too for a path that the system refuses, such as an over-long name."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder; false too for a path that the system refuses."""
    try:
        return path.is_dir()
    except OSError:
        return False


def refuse_links(folder: Path) -> None:
    """Raise `ConfigError` if a link in a run folder could lead writes or deletes elsewhere; names the link.

    Only `checkpoints/best` and `checkpoints/last` may be links, to a checkpoint next to them. A file that is written in place
    must have no second name (a hard link), since its other name would be written too.
    """
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    _check_link(entry, folder)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif _APPENDED.fullmatch(entry.name):
                    _check_names(entry)


def _check_link(entry: os.DirEntry[str], folder: Path) -> None:
    target = str(Path(entry.path).readlink())
    own = Path(entry.path).parent == folder / "checkpoints" and entry.name.removeprefix(".").partition(".")[0]
    if own in ("best", "last") and _STEP.fullmatch(target):
        return
    raise ConfigError(
        f"{entry.path} is a link to {target}: what is written in a run folder stays there. "
        "Put the folder or file itself in its place, or give another run.name."
    )


def _check_names(entry: os.DirEntry[str]) -> None:
    found = entry.stat(follow_symlinks=False)
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        raise ConfigError(
            f"{entry.path} has a second name (a hard link), which would be written too. Put a copy of it in its place: "
            "cp FILE FILE.new && mv FILE.new FILE"
        )
