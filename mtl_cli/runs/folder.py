"""Making, opening and locking a run folder.

outputs/<name>/
  config.yaml      resolved config          overrides.txt  what was asked
  env.json         versions, hardware, data  log.txt        messages
  metrics.jsonl    one record a line         summary.json   final scores; there when the run is done
  predictions/<task>.<set>.jsonl             checkpoints/step_000100/, best, last
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import yaml

from mtl_cli.config.keys import changes_result
from mtl_cli.config.upgrade import upgraded
from mtl_cli.errors import ConfigError, Fault, RunError
from mtl_cli.redact import as_written, redacted_words
from mtl_cli.runs.files import explained, scratch_files, shortened, why, write_text
from mtl_cli.runs.formats import UnreadableError, read_summary, read_text
from mtl_cli.runs.place import Place, is_file, is_folder, refuse_links
from mtl_cli.scratch import put_in_place, recover, scratch_folder
from mtl_cli.yaml_text import load_yaml

IfExists = Literal["error", "resume", "skip"]
_UNSTARTED = re.compile(r"\.lock|log\.txt|\.?(env\.json|overrides\.txt|config\.yaml)(\.[0-9a-f]{8})?")
"""Files that a process leaves that was killed before its run was begun."""

_LOCK = re.compile(rb"(process \d+)?")


class RunFolder:
    """A run folder that this process holds the lock of.

    Args:
        path: the folder, made if it is not there.
        section: of the config that names the folder, for messages.

    Raises:
        RunError: another process holds it, or it cannot be made or locked.
        ConfigError: its lock is a link, or no lock of mtl.
    """

    def __init__(self, path: Path, section: str = "run") -> None:
        self.path = path
        self.made = not os.path.lexists(path)
        """Whether the folder was not there before."""
        self._key = f"{section}.outputs"
        with explained(path, self._key):
            path.mkdir(parents=True, exist_ok=True)
            # Held open, so that no other folder can be given this one's inode while we write.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self._lock: IO[str] | None = None
        try:
            self._lock = _locked(path, section)
        finally:
            if self._lock is None:
                os.close(self._descriptor)
        self.place = Place.of(path)
        """The folder that was opened; to be checked before each save."""
        self.started = self.config_path.is_file()
        """Whether a run has begun here; remembered, since the folder may be moved away while the run writes."""

    def close(self) -> None:
        """Let go of the lock (the operating system does so too when the process dies)."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                self._lock.truncate(0)
            self._lock.close()
            os.close(self._descriptor)
            self._lock = None

    def begin(self, config: Mapping[str, Any], overrides: Sequence[str]) -> None:
        """Mark the folder as a run."""
        self.place.check()
        begin(self.path, config, overrides, self._key)
        self.started = True

    def discard_unstarted(self) -> None:
        """Remove the folder if it was made for a run that did not begin; nothing in it that mtl did not write before."""
        if self.started or not self.made or not self.place.is_there:
            return
        with contextlib.suppress(OSError):
            paths = list(self.path.iterdir())
            if all(_UNSTARTED.fullmatch(p.name) for p in paths) and not self.config_path.exists():
                for path in paths:
                    path.unlink()
                self.path.rmdir()

    @property
    def config_path(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def finished(self) -> bool:
        """Whether a run has ended here. Raises `RunError` if it has, and its summary is damaged."""
        if not os.path.lexists(self.path / "summary.json"):
            return False
        read_summary(self.path)
        return True

    def check_same(self, config: Mapping[str, Any], primary: str) -> None:
        """Raise `ConfigError` with what differs if the run here was made from another config of a command.

        An unfinished run compares its rows by fingerprint when they are opened, so they may have moved. Those of a finished
        run are not opened again: the place they came from must be the same.
        """
        stored = read_config(self.path)
        config = as_written(config)
        check_command(self.path, stored, "train", "run.name")
        # Arithmetic may change on the way: what overflows in 16 bits can go on in 32.
        found = [d for d in differences(stored, config, primary) if d[0] != "fabric.precision"]
        if self.finished:
            old, new = stored.get("data", {}), config.get("data", {})
            found += [(f"data.{k}", old.get(k), new.get(k)) for k in ("root", "source") if old.get(k) != new.get(k)]
        if found:
            listed = "\n".join(f"  {key}: the run has {old!r}, asked is {new!r}" for key, old, new in found)
            raise ConfigError(
                f"cannot resume {self.path}: it was started from a different config.\n{listed}\nGive the same values, or another run.name."
            )


def command_of(config: Mapping[str, Any]) -> str:
    """The command whose run has this stored config: "train" or "zeroshot"."""
    return "zeroshot" if "decide" in config else "train"


def check_command(path: Path, config: Mapping[str, Any], command: str, key: str) -> None:
    """Raise `ConfigError` if a run to resume is of another command; `key` names its folder."""
    if command_of(config) != command:
        raise ConfigError(f"cannot resume {path}: it is a run of `mtl {command_of(config)}`. Give another {key}.")


def _locked(path: Path, section: str) -> IO[str]:
    """The lock of a folder, taken."""
    stream = _open_lock(path / ".lock")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = stream.read(100).strip() or "another process"
        stream.close()
        raise RunError(f"{path} is in use by {holder}. Wait for it, stop it, or give another {section}.name.") from None
    except OSError as error:
        stream.close()
        raise RunError(
            f"{path} cannot be locked: {error.strerror}. Write on another file system with {section}.outputs=DIR."
        ) from error
    stream.seek(0)
    stream.truncate(0)
    stream.write(f"process {os.getpid()}")
    stream.flush()
    return stream


def check_free(path: Path) -> None:
    """Raise `RunError` if a process holds the lock of a folder."""
    try:
        descriptor = os.open(path / ".lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(f"{path} is in use by {os.read(descriptor, 100).decode(errors='replace')}") from None
    finally:
        os.close(descriptor)


def is_unstarted(path: Path) -> bool:
    """Whether a folder holds what a run writes before it begins, and nothing else."""
    try:
        names = {p.name if not p.is_symlink() else "a link" for p in path.iterdir()}
    except OSError:
        return False
    return ".lock" in names and "config.yaml" not in names and all(_UNSTARTED.fullmatch(name) for name in names)


def _open_lock(path: Path) -> IO[str]:
    """Open a lock, made if it is not there; what is no lock of mtl is left as it is."""
    try:
        # O_NONBLOCK: a named pipe is not waited for.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigError(f"{path} is a link, not a lock file of mtl. Remove it, or give another name.") from error
        raise RunError(why(path.parent, error)) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or not _LOCK.fullmatch(os.pread(descriptor, 100, 0)):
        os.close(descriptor)
        raise ConfigError(f"{path} is not a lock file of mtl. Remove it, or give another name.")
    return os.fdopen(descriptor, "r+", encoding="utf-8")


def clean_scratch(*folders: Path) -> None:
    """Remove files that a killed process had not put in their place; the caller holds the lock, and none is a link."""
    for folder in folders:
        for file in scratch_files(folder):
            with contextlib.suppress(OSError):
                file.unlink()


def begin(path: Path, config: Mapping[str, Any], overrides: Sequence[str], key: str = "run.outputs") -> None:
    """Write what was asked; the config last, since it marks the folder as a run. `key` chooses the place, for messages."""
    with explained(path, key):
        write_text(path / "overrides.txt", "".join(f"{text}\n" for text in redacted_words(overrides)))
        write_text(path / "config.yaml", yaml.safe_dump(as_written(config), sort_keys=False, allow_unicode=True))


@contextlib.contextmanager
def answer_folder(place: Place, kind: str, name: str) -> Iterator[Path]:
    """A scratch folder that becomes RUN/kind/name once it is filled: the answer to a question about a run.

    Args:
        place: the run.
        kind: such as "evals".
        name: of the answer; one that is there is replaced.

    Raises:
        ConfigError: the name is no folder name, or a link would lead the answer elsewhere.
        RunError: it cannot be written, or the run has gone.
    """
    parent = place.path / kind
    final = parent / name
    check_answer_name(name)
    if linked := next((p for p in (parent, final) if p.is_symlink()), None):
        raise ConfigError(
            f"{linked} is a link to {linked.readlink()}: what belongs to a run is written there. Remove it."
        )
    with contextlib.ExitStack() as stack:
        place.check()
        with explained(parent, ""):
            parent.mkdir(exist_ok=True)
            stack.callback(_remove_empty, parent)
            recover(parent)
            scratch = stack.enter_context(scratch_folder(final))
        try:
            yield scratch
        finally:
            place.check()  # before any other message: that nothing can be written there is no wonder then
        with explained(parent):
            put_in_place(scratch, final)


def check_answer_name(name: str) -> None:
    """Raise `ConfigError` if an answer cannot be called so."""
    if not name or "/" in name or name.startswith("."):
        raise ConfigError([Fault("name", f"must be one folder name; found '{name[:100]}'")])


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def differences(old: Any, new: Any, primary: str, key: str = "") -> list[tuple[str, Any, Any]]:
    """Leaves that differ between two configs of a command and count for the result, as (dotted key, old, new).

    Where the rows of a run come from does not count: they are compared by fingerprint.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [*old, *(n for n in new if n not in old)]
        found = [
            d for n in names for d in differences(old.get(n), new.get(n), primary, f"{key}.{n}" if key else str(n))
        ]
        # Samplers, weightings and the optimiser count tasks by their place.
        moved = key == "tasks" and not found and list(old) != list(new)
        return [(key, list(old), list(new))] if moved else found
    return [(key, old, new)] if old != new and changes_result(primary, key) else []


def default_name(what: str) -> str:
    """Tasks, date and a short id."""
    return f"{what}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def open_run(path: Path, if_exists: IfExists, section: str = "run", outputs: Path | None = None) -> RunFolder:
    """Lock a folder for a new or resumed run that a section of the config names.

    Args:
        path: the run folder.
        if_exists: what to do with a run that is there.
        section: of the config that names the folder, for messages.
        outputs: the folder that `path` was named below; if given, no part of the name but the first may be a link.

    Raises:
        ConfigError: there is a run and `if_exists` is "error", there are strange files, or links that lead out of the folder.
        RunError: the folder is in use, or cannot be written.
    """
    around = next((p for p in path.parents if is_file(p / "config.yaml") and is_file(p / "env.json")), None)
    if around is not None:
        raise ConfigError(f"{path} would lie inside the run {around}. Give another {section}.name.")
    if outputs is not None:
        _refuse_linked_parts(path, outputs)
    if not is_file(path / "config.yaml") and is_folder(path):
        with explained(path, f"{section}.outputs"):
            if any(not _UNSTARTED.fullmatch(p.name) for p in path.iterdir()):
                raise ConfigError(f"{path} exists and holds no run of mtl. Give another {section}.name.")
    folder = RunFolder(path, section)
    try:
        with explained(path, f"{section}.outputs"):
            refuse_links(path)
        clean_scratch(path, path / "predictions")
        if folder.started and if_exists == "error":
            state = "is finished" if folder.finished else "is not finished"
            raise ConfigError(
                f"{path} holds a run already, which {state}. "
                f"Use {section}.if_exists=resume or skip, or another {section}.name."
            )
    except BaseException:
        folder.close()
        raise
    return folder


def _refuse_linked_parts(path: Path, outputs: Path) -> None:
    """Raise `ConfigError` if a folder of runs holds a link in the place of one of its runs."""
    inner = [p for p in (path, *path.parents) if p.is_relative_to(outputs) and len(p.relative_to(outputs).parts) > 1]
    linked = next((p for p in inner if p.is_symlink()), None)
    if linked is not None:
        raise ConfigError(
            f"{linked} is a link to {linked.readlink()}: runs are written in the folder itself. Remove it."
        )


def read_config(path: Path) -> dict[str, Any]:
    """The config of a run folder.

    Raises:
        ConfigError: the folder is not there or holds no run; names runs that are there.
    """
    config = path / "config.yaml"
    if not is_file(config):
        beside = sorted(p.parent.name for p in path.parent.glob("*/config.yaml"))[-5:] if is_folder(path.parent) else []
        there = f" Runs there: {', '.join(beside)}." if beside else ""
        raise ConfigError(f"run: {shortened(path)} holds no run (no config.yaml).{there}")
    try:
        values = load_yaml(read_text(config))
    except UnreadableError as error:
        raise ConfigError(str(error)) from error
    except ValueError as error:
        raise ConfigError(f"{config} is not readable as YAML: {error}. Take another run, or a backup of it") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{config} is empty or holds no mapping: it is not the config of a run any more")
    return upgraded(values)
