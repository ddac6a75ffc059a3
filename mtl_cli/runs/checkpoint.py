"""Checkpoints: a folder that is whole or not there, checked by digest when read. Tensors lie in safetensors, the rest in JSON.

checkpoints/step_000100/
  encoder/               a Hugging Face folder
  heads.safetensors  training.safetensors  state.json
  manifest.json          size and sha256 of every file; written last
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mtl_cli.errors import ConfigError, RunError
from mtl_cli.runs.files import explained, plain, sha256, write_json

Tensors = Mapping[str, Tensor]
_ASIDE = ".replaced"


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
    state: Mapping[str, Any]

    @property
    def encoder(self) -> Path:
        """The Hugging Face folder."""
        return self.path / "encoder"

    def model(self) -> dict[str, Tensor]:
        """Tensors of the model outside the encoder."""
        return load_file(self.path / "heads.safetensors")

    def training(self) -> dict[str, Tensor]:
        """Tensors of optimiser, generators and weighting. Raises `RunError` if they were dropped when the run ended."""
        path = self.path / "training.safetensors"
        if not path.is_file():
            raise RunError(
                f"{self.path} has no optimiser state: the run was finished without checkpoint.keep_optimizer=true"
            )
        return load_file(path)


def name_of(step: int) -> str:
    """Folder name of a step."""
    return f"step_{step:06d}"


class Checkpoints:
    """The checkpoints folder of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, step: int, contents: Contents) -> Path:
        """Write a checkpoint beside its place, then move it there; `last` points to it afterwards.

        Raises:
            RunError: no space or no right; the checkpoints before it are as they were.
        """
        final, scratch = self.folder / name_of(step), self.folder / f".{name_of(step)}.{os.getpid()}"
        try:
            with explained(self.folder):
                shutil.rmtree(scratch, ignore_errors=True)
                scratch.mkdir(parents=True)
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
            if final.exists():
                shutil.rmtree(aside)
            else:
                aside.rename(final)
        for scratch in self.folder.glob(".step_*"):
            shutil.rmtree(scratch, ignore_errors=True)

    def _write(self, folder: Path, contents: Contents) -> None:
        contents.save_encoder(folder / "encoder")
        save_file({k: v.contiguous() for k, v in contents.model.items()}, folder / "heads.safetensors")
        save_file({k: v.contiguous() for k, v in contents.training.items()}, folder / "training.safetensors")
        (folder / "state.json").write_text(json.dumps(plain(dict(contents.state))))
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        listed = {str(p.relative_to(folder)): {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in files}
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
                shutil.rmtree(path)

    def drop_training_state(self) -> None:
        """Delete what only a resumed run needs, once the run is done; manifests first, so that each stays whole."""
        for path in self.steps():
            if (path / "training.safetensors").is_file():
                manifest = path / "manifest.json"
                try:
                    listed = json.loads(manifest.read_text(encoding="utf-8"))
                    listed.pop("training.safetensors", None)
                except (OSError, ValueError, TypeError, AttributeError):
                    continue  # damaged, and stays so: new digests would only hide it
                write_json(manifest, listed)
                (path / "training.safetensors").unlink()

    def steps(self) -> list[Path]:
        """Folders of all checkpoints, oldest first."""
        ours = (
            p for p in self.folder.glob("step_*") if p.name.removeprefix("step_").isdigit()
        )  # not a user's step_000100_copy
        return sorted(ours, key=lambda p: int(p.name.removeprefix("step_")))

    def newest(self, tell: Callable[[str], None]) -> Checkpoint | None:
        """The newest checkpoint that is whole; says which were passed over and why. None if there is none."""
        for path in reversed(self.steps()):
            try:
                return verified(path)
            except RunError as error:
                tell(f"{error} Passed over for the one before it.")
        return None

    def find(self, name: str) -> Checkpoint:
        """A checkpoint by name (`best`, `last`, `step_000100`) or path.

        Raises:
            ConfigError: there is none of that name; lists those that there are.
            RunError: it is damaged.
        """
        plain_name = name not in ("", ".", "..") and "/" not in name
        own = self.folder / name if plain_name else self.folder / "no such checkpoint"
        path = own if own.exists() else Path(name).expanduser()
        if not (path.is_dir() and (path == own or (path / "manifest.json").exists())):
            there = (
                ", ".join(p.name for p in [*self.steps(), *self.folder.glob("best"), *self.folder.glob("last")])
                or "none"
            )
            raise ConfigError(f"checkpoint: there is no '{name}' in {self.folder}. There is: {there}.")
        return verified(path.resolve())


def verified(path: Path) -> Checkpoint:
    """Open a checkpoint after comparing every file with the manifest. Raises `RunError` that names the first bad file."""
    manifest = path / "manifest.json"
    try:
        listed = {
            name: (int(entry["bytes"]), entry["sha256"])
            for name, entry in json.loads(manifest.read_text(encoding="utf-8")).items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # the manifest may be what is damaged
        raise RunError(
            f"checkpoint {path} is damaged: it has no readable manifest.json, so it was not written to its end."
        ) from error
    for name, (size, digest) in listed.items():
        file = path / name
        if not file.is_file():
            raise RunError(f"checkpoint {path} is damaged: {name} is missing.")
        if file.stat().st_size != size:
            raise RunError(
                f"checkpoint {path} is damaged: {name} has {file.stat().st_size:,} bytes instead of {size:,}."
            )
        if sha256(file) != digest:
            raise RunError(f"checkpoint {path} is damaged: the content of {name} has changed since it was saved.")
    return Checkpoint(path, json.loads((path / "state.json").read_text()))
