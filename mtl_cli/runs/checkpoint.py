"""Checkpoints: a folder that is whole or not there, checked by digest when read. Tensors lie in safetensors, the rest in JSON.

checkpoints/step_000100/
  encoder/               a Hugging Face folder
  heads.safetensors  training.safetensors  state.json
  manifest.json          size and sha256 of every file; written last
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mtl_cli.digest import content_digest
from mtl_cli.errors import ConfigError, RunError
from mtl_cli.runs.files import explained, plain, scratch_files, shortened, write_json
from mtl_cli.runs.formats import CheckpointState, UnreadableError, read_json, read_manifest, read_state
from mtl_cli.runs.place import Place, is_file, is_folder

Tensors = Mapping[str, Tensor]
_ASIDE, _REMOVED = ".replaced", ".removed"
_STEP = re.compile(r"step_\d{1,18}", re.ASCII)
_LEFT = re.compile(r"\.(step_\d+|best|last)\.(\d+|replaced|removed)", re.ASCII)
"""What a killed process leaves here."""
TRAINING = "training.safetensors"
"""File that only a resumed run needs."""


@dataclass(frozen=True)
class Contents:
    """What goes into a checkpoint."""

    save_encoder: Callable[[Path], None]
    model: Tensors
    """Everything of the model that is not in the encoder folder."""
    training: Tensors
    """Optimiser, random generators, weighting."""
    state: Mapping[str, Any]
    """Plain JSON values."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk that has passed its check."""

    path: Path
    progress: CheckpointState
    has_training: bool
    """Whether it holds what only a resumed run needs."""

    @property
    def state(self) -> Mapping[str, Any]:
        """Plain values of the loop, as they were saved."""
        return self.progress.raw

    @property
    def encoder(self) -> Path:
        """The Hugging Face folder."""
        return self.path / "encoder"

    def model(self) -> dict[str, Tensor]:
        """Tensors of the model outside the encoder. Raises `RunError` if the file holds none."""
        return self._tensors("heads.safetensors")

    def training(self) -> dict[str, Tensor]:
        """Tensors of optimiser, generators and weighting. Raises `RunError` if they were dropped when the run ended."""
        if not self.has_training:
            raise RunError(
                f"{self.path} has no optimiser state: the run was finished without checkpoint.keep_optimizer=true"
            )
        return self._tensors(TRAINING)

    def _tensors(self, name: str) -> dict[str, Tensor]:
        try:
            return load_file(self.path / name)
        except (SafetensorError, OSError, ValueError) as error:
            raise RunError(f"checkpoint {self.path} is damaged: {name} holds no tensors: {error}") from error


def name_of(step: int) -> str:
    """Folder name of a step."""
    return f"step_{step:06d}"


class Checkpoints:
    """The checkpoints folder of one run.

    Args:
        folder: made at the first save.
        place: the run folder; checked before each save. None: whatever the path names.
    """

    def __init__(self, folder: Path, place: Place | None = None) -> None:
        self.folder, self._place = folder, place

    def save(self, step: int, contents: Contents) -> Path:
        """Write a checkpoint beside its place, then move it there; `last` points to it afterwards.

        Raises:
            RunError: no space or no right, or the run folder has gone; the checkpoints before it are as they were.
        """
        if self._place is not None:
            self._place.check()
        final, scratch = self.folder / name_of(step), self.folder / f".{name_of(step)}.{os.getpid()}"
        try:
            with explained(self.folder):
                shutil.rmtree(scratch, ignore_errors=True)
                self.folder.mkdir(exist_ok=True)  # no parents: a run folder that has gone is not made again
                scratch.mkdir()
                self._write(scratch, contents)
                self._replace(final, scratch)
                self.point("last", step)
        except SafetensorError as error:
            raise RunError(f"cannot write in {self.folder}: {error}. What was saved before is whole.") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return final

    def _replace(self, final: Path, scratch: Path) -> None:
        aside = final.with_name(f".{final.name}{_ASIDE}")
        if final.exists():
            final.rename(aside)
        scratch.rename(final)
        shutil.rmtree(aside, ignore_errors=True)

    def recover(self) -> None:
        """Finish or undo what a killed process left half done. Only the holder of the run's lock may call this."""
        for aside in self.folder.glob(f".step_*{_ASIDE}"):
            final = self.folder / aside.name.removeprefix(".").removesuffix(_ASIDE)
            if not final.exists():
                aside.rename(final)
        for left in self.leftovers():
            _remove(left)

    def leftovers(self) -> list[Path]:
        """What a killed process left half done."""
        found = sorted(p for p in self.folder.glob(".*") if _LEFT.fullmatch(p.name)) if self.folder.is_dir() else []
        # What was put aside and not replaced is put back.
        found = [p for p in found if p.suffix != _ASIDE or (self.folder / p.stem.removeprefix(".")).exists()]
        return found + [file for step in self.steps() for file in scratch_files(step)]

    def follow(self, state: CheckpointState) -> None:
        """Let `last` and `best` name the steps of a state: a kill may have come between a move and its links."""
        with explained(self.folder):
            self.point("last", state.step)
            best = state.best_step
            if best is not None and (self.folder / name_of(best)).is_dir():
                self.point("best", best)
            else:
                (self.folder / "best").unlink(missing_ok=True)

    def _write(self, folder: Path, contents: Contents) -> None:
        contents.save_encoder(folder / "encoder")
        save_file({k: v.contiguous() for k, v in contents.model.items()}, folder / "heads.safetensors")
        save_file({k: v.contiguous() for k, v in contents.training.items()}, folder / "training.safetensors")
        (folder / "state.json").write_text(json.dumps(plain(dict(contents.state))))
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        listed = {str(p.relative_to(folder)): {"bytes": p.stat().st_size, "sha256": content_digest(p)} for p in files}
        write_json(folder / "manifest.json", listed)

    def point(self, link: str, step: int) -> None:
        """Let `best` or `last` name a step's folder."""
        scratch = self.folder / f".{link}.{os.getpid()}"
        scratch.unlink(missing_ok=True)
        scratch.symlink_to(name_of(step))
        scratch.replace(self.folder / link)

    def prune(self, keep: int) -> None:
        """Delete all but the newest `keep`, the best and the last."""
        # The last is not the newest where a resumed run has passed over damaged ones with higher steps.
        kept = {(self.folder / link).resolve() for link in ("best", "last")}
        for path in self.steps()[:-keep]:
            if path.resolve() not in kept:
                # In one move first: half a checkpoint would look like a damaged one.
                removed = path.with_name(f".{path.name}{_REMOVED}")
                path.rename(removed)
                shutil.rmtree(removed)

    def drop_training_state(self) -> None:
        """Delete what only a resumed run needs, once the run is done; manifests first, so that each stays whole."""
        for path in self.steps():
            if (path / TRAINING).is_file():
                manifest = path / "manifest.json"
                try:
                    listed: dict[str, Any] = read_json(manifest, dict[str, Any])
                except UnreadableError:
                    continue  # damaged, and stays so: new digests would only hide it
                if listed.pop(TRAINING, None) is not None:
                    write_json(manifest, listed)
                (path / TRAINING).unlink()

    def steps(self) -> list[Path]:
        """Folders of all checkpoints, oldest first; not a user's step_000100_copy."""
        ours = (p for p in self.folder.glob("step_*") if _STEP.fullmatch(p.name) and not p.is_symlink())
        return sorted(ours, key=lambda p: int(p.name.removeprefix("step_")))

    def newest(self, tell: Callable[[str], None]) -> Checkpoint | None:
        """The newest checkpoint that is whole, and whose best one is whole too; says which were skipped and why.

        If the best one is lost for all of them, the newest whole one; None if there is none.
        """
        spare: Checkpoint | None = None
        for path in reversed(self.steps()):
            try:
                found = verified(path)
                spare = spare or found
                best = found.progress.best_step
                if best not in (None, found.progress.step):
                    verified(self.folder / name_of(best or 0))
            except RunError as error:
                tell(f"{error} Passed over for the one before it.")
            else:
                return found
        return spare

    def find(self, name: str) -> Checkpoint:
        """A checkpoint by name (`best`, `last`, `step_000100`) or path.

        Raises:
            ConfigError: there is none of that name; lists those that there are.
            RunError: it is damaged.
        """
        path = self._named(name) or Path(name).expanduser()
        if not is_folder(path) or not (path.parent == self.folder or is_file(path / "manifest.json")):
            there = (
                ", ".join(p.name for p in [*self.steps(), *self.folder.glob("best"), *self.folder.glob("last")])
                or "none"
            )
            raise ConfigError(f"checkpoint: there is no '{name}' in {self.folder}. Available: {there}.")
        return verified(path.resolve())

    def _named(self, name: str) -> Path | None:
        """A checkpoint of this run by its name; None if there is none."""
        if name in ("", ".", "..") or "/" in name:
            return None
        path = self._linked(name) if name in ("best", "last") else self.folder / name
        return path if is_folder(path) else None

    def _linked(self, link: str) -> Path:
        """What `best` or `last` stands for: by the newest state, since a kill may come between a move and its links."""
        last = self.folder / "last"
        newest = self.steps()[-1:]
        if newest and newest[0].name != last.resolve().name:
            with contextlib.suppress(RunError):  # damaged: a resumed run has passed it over
                last = verified(newest[0]).path
        if link == "last":
            return last
        with contextlib.suppress(RunError):
            best = read_state(last).best_step
            if best is not None and (self.folder / name_of(best)).is_dir():
                return self.folder / name_of(best)
        return self.folder / link


def _remove(path: Path) -> None:
    """Delete a folder, or a link or file; nothing that a link points to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def verified(path: Path) -> Checkpoint:
    """Open a checkpoint after comparing every file with the manifest. Raises `RunError` that names the first bad file."""
    try:
        listed = read_manifest(path)
    except UnreadableError as error:  # the manifest may be what is damaged
        raise RunError(
            f"checkpoint {path} is damaged: it has no readable manifest.json, so it was not written to its end."
        ) from error
    _check_unlisted(path, listed)
    for name, entry in listed.items():
        file = path / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise RunError(
                f"checkpoint {path} is damaged: its manifest.json lists {shortened(Path(name))}, outside the checkpoint."
            )
        if not file.is_file():
            raise RunError(f"checkpoint {path} is damaged: {name} is missing.")
        if file.stat().st_size != entry.bytes:
            raise RunError(
                f"checkpoint {path} is damaged: {name} has {file.stat().st_size:,} bytes instead of {entry.bytes:,}."
            )
        if content_digest(file) != entry.sha256:
            raise RunError(f"checkpoint {path} is damaged: the content of {name} has changed since it was saved.")
    return Checkpoint(path, read_state(path), TRAINING in listed)


def _check_unlisted(path: Path, listed: Mapping[str, Any]) -> None:
    """Raise `RunError` if a checkpoint holds a link, or a file that its manifest does not list: a loader might read it."""
    allowed = {*listed, "manifest.json", TRAINING}  # the last may be left by a kill, and is read only if it is listed
    for file in sorted(path.rglob("*")):
        inner = file.relative_to(path).as_posix()
        if file.is_symlink():
            raise RunError(f"checkpoint {path} is damaged: {inner} is a link. A checkpoint holds its own files.")
        if inner not in allowed and not file.is_dir() and not file.name.startswith("."):
            raise RunError(
                f"checkpoint {path} is damaged: {inner} is not in its manifest.json, so it was added after the "
                "checkpoint was saved. Remove it if it is not yours."
            )
