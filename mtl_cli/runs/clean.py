"""What killed processes leave in run folders, and how it goes. Nothing that mtl did not write, nothing that a process holds."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from mtl_cli.errors import MtlError
from mtl_cli.runs.checkpoint import Checkpoints
from mtl_cli.runs.files import scratch_files
from mtl_cli.runs.folder import read_config
from mtl_cli.scratch import abandoned, recover


def clean_run(path: Path) -> None:
    """Remove what is left over in a run folder. The caller holds its lock, and has refused links."""
    Checkpoints(path / "checkpoints").recover()
    recover(path / "evals")
    for left in leftovers(path):
        _remove(left)
    if drops_training_state(path):
        Checkpoints(path / "checkpoints").drop_training_state()


def leftovers(path: Path) -> list[Path]:
    """Files and folders in a run folder that a killed process left; the optimiser's state of a finished run not counted."""
    folders = [path, path / "predictions", *_below(path / "affinity")]
    found = [file for folder in folders if not folder.is_symlink() for file in scratch_files(folder)]
    found += Checkpoints(path / "checkpoints").leftovers() if not (path / "checkpoints").is_symlink() else []
    return found + (abandoned(path / "evals") if not (path / "evals").is_symlink() else [])


def drops_training_state(path: Path) -> bool:
    """Whether a run is finished, and its config lets go of the optimiser's state."""
    try:
        section = read_config(path).get("checkpoint")
    except MtlError:
        return False
    return (path / "summary.json").is_file() and isinstance(section, dict) and section.get("keep_optimizer") is False


def _below(folder: Path) -> list[Path]:
    return [Path(here) for here, _, _ in os.walk(folder)] if not folder.is_symlink() else []


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
