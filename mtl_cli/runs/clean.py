"""What killed processes leave, and how it goes. Nothing that mtl did not write, nothing behind a link, nothing in use."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from mtl_cli.errors import ConfigError, MtlError
from mtl_cli.runs.checkpoint import TRAINING, Checkpoints
from mtl_cli.runs.files import scratch_files, shortened
from mtl_cli.runs.folder import RunFolder, check_free, is_unstarted, read_config
from mtl_cli.runs.place import is_folder
from mtl_cli.scratch import abandoned, recover

_EVAL_FILES = {"config.yaml", "predictions"}


def clean(root: Path, dry_run: bool, tell: Callable[[str], None]) -> list[Path]:
    """Remove what killed processes left in a folder and all folders below it; links are not followed.

    Args:
        root: a run, or a folder of runs.
        dry_run: only list it.
        tell: takes a line on each folder that is left alone since a process uses it.

    Returns:
        What was removed, or would be.

    Raises:
        ConfigError: there is no such folder.
    """
    if not is_folder(root):
        raise ConfigError(f"there is no folder {shortened(root)}")
    found: list[Path] = []
    for folder in _folders(root):
        left = leftovers(folder)
        if not left:
            continue
        try:
            check_free(folder)
            found += left if dry_run else _removed(folder, left)
        except MtlError as error:
            tell(f"left alone: {error}")
    return found


def clean_cache(cache: Path, dry_run: bool) -> list[Path]:
    """Remove half-made sets of encoded rows; returns them."""
    folder = cache / "encoded"
    found = [] if folder.is_symlink() else abandoned(folder)
    if found and not dry_run:
        recover(folder)
    return found


def clean_run(path: Path) -> None:
    """Remove what is left in a run folder. The caller holds its lock."""
    left = leftovers(path)
    if not (path / "checkpoints").is_symlink():
        Checkpoints(path / "checkpoints").recover()
        if _drops_training_state(path):
            Checkpoints(path / "checkpoints").drop_training_state()
    for kind in ("evals", "affinity"):
        if not (path / kind).is_symlink():
            recover(path / kind)
    for file in left:
        _remove(file)


def leftovers(path: Path) -> list[Path]:
    """What a killed process left in a folder: of a run, of several runs, or of a run that did not begin."""
    if is_unstarted(path):
        return [path]
    folders = [path, path / "predictions", *_below(path / "affinity"), *_below(path / "configs")]
    found = [file for folder in folders if not folder.is_symlink() for file in scratch_files(folder)]
    if not (path / "checkpoints").is_symlink():
        found += Checkpoints(path / "checkpoints").leftovers()
        if _drops_training_state(path):
            found += [p / TRAINING for p in Checkpoints(path / "checkpoints").steps() if (p / TRAINING).is_file()]
    for kind in ("evals", "affinity"):
        found += [] if (path / kind).is_symlink() else abandoned(path / kind)
    return found + list(_half_evals(path / "evals"))


def _half_evals(folder: Path) -> Iterator[Path]:
    """Evaluations that ended before their summary was written; those of today are whole or not there."""
    for path in [] if folder.is_symlink() or not is_folder(folder) else sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            names = {p.name for p in path.iterdir()}
            if "predictions" in names and names <= _EVAL_FILES:
                yield path


def _drops_training_state(path: Path) -> bool:
    """Whether a run is finished, and its config lets go of the optimiser's state."""
    if not (path / "summary.json").is_file():
        return False
    try:
        section = read_config(path).get("checkpoint")
    except MtlError:
        return False
    return isinstance(section, dict) and section.get("keep_optimizer") is False


def _removed(path: Path, left: list[Path]) -> list[Path]:
    """Remove what was found, under the folder's lock. Raises `MtlError` if another process holds it."""
    folder = RunFolder(path)
    try:
        if left == [path]:
            folder.made = True
            folder.discard_unstarted()
        else:
            clean_run(path)
    finally:
        folder.close()
    return [file for file in left if not os.path.lexists(file)]


def _folders(root: Path) -> Iterator[Path]:
    """A folder and those below it, not into runs, links or hidden folders."""
    waiting = [root]
    while waiting:
        path = waiting.pop()
        yield path
        if (path / "config.yaml").is_file():
            continue
        with contextlib.suppress(OSError):
            inner = [p for p in sorted(path.iterdir(), reverse=True) if not p.name.startswith(".")]
            waiting += [p for p in inner if p.is_dir() and not p.is_symlink()]


def _below(folder: Path) -> list[Path]:
    return [Path(here) for here, _, _ in os.walk(folder)] if not folder.is_symlink() else []


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
