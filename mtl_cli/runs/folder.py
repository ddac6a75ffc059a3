"""Making, opening and locking a run folder.

outputs/<name>/
  config.yaml      resolved config          overrides.txt  what was asked
  env.json         versions, hardware, data  log.txt        messages
  metrics.jsonl    one record a line         summary.json   final scores; there when the run is done
  predictions/<task>.<set>.jsonl             checkpoints/step_000100/, best, last
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import yaml

from mtl_cli.errors import ConfigError, RunError
from mtl_cli.redact import as_written, redacted_words
from mtl_cli.runs.files import explained, write_text
from mtl_cli.yaml_text import load_yaml

IfExists = Literal["error", "resume", "skip"]
_FREE = (
    "run", "seeds", "baselines", "baseline_budget", "train.progress", "fabric", "launcher", "search",
    "data.root", "data.cache", "data.hub_timeout", "data.source",
)  # fmt: skip
"""Keys that may differ at resume: they say where, how and beside what, not what. Data is compared by fingerprint."""
_UNSTARTED = re.compile(r"\.lock|log\.txt|\.?(env\.json|overrides\.txt|config\.yaml)(\.[0-9a-f]{8})?")
"""Files that a process leaves that was killed before its run was begun."""


class RunFolder:
    """A run folder that this process holds the lock of.

    Args:
        path: the folder, made if it is not there.
        section: of the config that names the folder, for messages.
    """

    def __init__(self, path: Path, section: str = "run") -> None:
        self.path = path
        self.made = not path.exists()
        """Whether the folder was not there before."""
        with explained(path):
            path.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (path / ".lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "another process"
            self._lock.close()
            raise RunError(
                f"{path} is in use by {holder}. Wait for it, stop it, or give another {section}.name."
            ) from None
        except OSError as error:
            self._lock.close()
            raise RunError(
                f"{path} cannot be locked: {error.strerror}. Write on another file system with {section}.outputs=DIR."
            ) from error
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()}")
        self._lock.flush()

    def close(self) -> None:
        """Let go of the lock (the operating system does so too when the process dies)."""
        with contextlib.suppress(OSError):
            self._lock.truncate(0)
        self._lock.close()

    @property
    def config_path(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def started(self) -> bool:
        """Whether a run has begun here."""
        return self.config_path.is_file()

    @property
    def finished(self) -> bool:
        """Whether a run has ended here."""
        return (self.path / "summary.json").is_file()

    def check_same(self, config: Mapping[str, Any]) -> None:
        """Raise `ConfigError` with what differs if the run here was made from another config.

        An unfinished run compares its rows by fingerprint when they are opened, so they may have moved. Those of a finished
        run are not opened again: the place they came from must be the same.
        """
        stored = read_config(self.path)
        config = as_written(config)
        found = differences(stored, config)
        if self.finished:
            old, new = stored.get("data", {}), config.get("data", {})
            found += [(f"data.{k}", old.get(k), new.get(k)) for k in ("root", "source") if old.get(k) != new.get(k)]
        if found:
            listed = "\n".join(f"  {key}: the run has {old!r}, asked is {new!r}" for key, old, new in found)
            raise ConfigError(
                f"cannot resume {self.path}: it was started from a different config.\n{listed}\nGive the same values, or another run.name."
            )


def begin(path: Path, config: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Write what was asked; the config last, since it marks the folder as a run."""
    with explained(path):
        write_text(path / "overrides.txt", "".join(f"{text}\n" for text in redacted_words(overrides)))
        write_text(path / "config.yaml", yaml.safe_dump(as_written(config), sort_keys=False, allow_unicode=True))


def differences(old: Any, new: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """Leaves that differ between two configs, as (dotted key, old, new); keys that may differ are left out."""
    if key in _FREE:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [*old, *(n for n in new if n not in old)]
        found = [d for n in names for d in differences(old.get(n), new.get(n), f"{key}.{n}" if key else str(n))]
        # Samplers, weightings and the optimiser count tasks by their place.
        moved = key == "tasks" and not found and list(old) != list(new)
        return [(key, list(old), list(new))] if moved else found
    return [] if old == new else [(key, old, new)]


def default_name(what: str) -> str:
    """Tasks, date and a short id."""
    return f"{what}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def open_run(path: Path, if_exists: IfExists, section: str = "run") -> RunFolder:
    """Lock a folder for a new or resumed run that a section of the config names.

    Raises:
        ConfigError: there is a run and `if_exists` is "error", or there are strange files.
        RunError: the folder is in use, or cannot be written.
    """
    around = next((p for p in path.parents if (p / "config.yaml").is_file() and (p / "env.json").is_file()), None)
    if around is not None:
        raise ConfigError(f"{path} would lie inside the run {around}. Give another {section}.name.")
    folder = RunFolder(path, section)
    if not folder.started and any(not _UNSTARTED.fullmatch(p.name) for p in path.iterdir()):
        (path / ".lock").unlink(missing_ok=True)
        folder.close()
        raise ConfigError(f"{path} exists and holds no run of mtl. Give another {section}.name.")
    if folder.started and if_exists == "error":
        state = "is finished" if folder.finished else "is not finished"
        folder.close()
        raise ConfigError(
            f"{path} holds a run already, which {state}. Use {section}.if_exists=resume or skip, or another {section}.name."
        )
    return folder


def read_config(path: Path) -> dict[str, Any]:
    """The config of a run folder.

    Raises:
        ConfigError: the folder is not there or holds no run; names runs that are there.
    """
    config = path / "config.yaml"
    if not config.is_file():
        beside = sorted(p.parent.name for p in path.parent.glob("*/config.yaml"))[-5:] if path.parent.is_dir() else []
        there = f" Runs there: {', '.join(beside)}." if beside else ""
        raise ConfigError(f"run: {path} holds no run (no config.yaml).{there}")
    try:
        values = load_yaml(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{config} is not readable as YAML: {error}. Take another run, or a backup of it") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{config} is empty or holds no mapping: it is not the config of a run any more")
    return values
