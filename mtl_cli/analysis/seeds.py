"""Run folders -> finished runs, grouped over seeds: runs whose configs differ in the seed alone are one group."""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_cli.analysis.collect import run_folders
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.runs.files import shortened
from mtl_cli.runs.folder import command_of, differences, read_config
from mtl_cli.runs.formats import Summary, UnreadableError, read_summary
from mtl_cli.runs.place import is_folder

log = logging.getLogger(__name__)

_ENGINES = "Engines are compared by mtl zeroshot -m method=A,B"

BASELINES = "baselines"
"""Folder below the outputs that holds single-task runs."""
_SEED = re.compile(r"(?<![^/,])seed[=_]\d+(,|$|(?=/))")


@dataclass(frozen=True)
class FinishedRun:
    """A run folder with a summary."""

    path: Path
    config: Mapping[str, Any]
    summary: Summary

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self.config["seed"])

    @property
    def pruned(self) -> bool:
        """Whether a search ended it early."""
        return self.summary.status == "pruned"

    @property
    def tasks(self) -> list[str]:
        """Names of the scored tasks."""
        return list(self.summary.tasks)


@dataclass(frozen=True)
class Group:
    """Runs that differ in the seed alone, by seed."""

    name: str
    runs: tuple[FinishedRun, ...]

    @property
    def seeds(self) -> list[int]:
        """Of its runs."""
        return [run.seed for run in self.runs]

    @property
    def tasks(self) -> list[str]:
        """Names of the scored tasks."""
        return self.runs[0].tasks


def open_run_folder(path: Path) -> FinishedRun | None:
    """A run, or None if it is not finished.

    Raises:
        ConfigError: there is no run, or its files are damaged.
    """
    config = read_config(path)
    if command_of(config) == "zeroshot":
        problem = f"{path} is a run of `mtl zeroshot`, which has no baselines. Its scores: mtl runs show {path}"
        raise ConfigError(f"{problem}. {_ENGINES}")
    if not os.path.lexists(path / "summary.json"):
        return None
    try:
        run = FinishedRun(path, config, read_summary(path))
        _ = (
            run.seed,
            [(config["tasks"][task]["kind"].get("labels"), *config["tasks"][task]["metrics"]) for task in run.tasks],
        )
    except UnreadableError as error:
        raise ConfigError(str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path / 'config.yaml'} is damaged: it is no longer the config of the run in {path}"
        ) from error
    return run


def open_runs(folders: Sequence[Path]) -> list[FinishedRun]:
    """All finished runs of the folders, each a run or a folder of runs; baselines below an outputs folder are left out.

    Raises:
        ConfigError: a folder is not there, holds no run, or is a run that is not finished; with all such faults.
    """
    found: dict[Path, FinishedRun] = {}
    faults: list[Fault] = []
    for folder in folders:
        try:
            for run in _runs_of(folder):
                found.setdefault(run.path.resolve(), run)
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    return list(found.values())


def _runs_of(folder: Path) -> list[FinishedRun]:
    if not is_folder(folder):
        raise ConfigError(f"there is no folder {shortened(folder)}")
    paths = sorted(p for p in run_folders(folder) if BASELINES not in p.relative_to(folder).parts)
    if not paths:
        raise ConfigError(f"{folder} holds no run: no folder in it has a config.yaml")
    opened = {path: open_run_folder(path) for path in paths if path == folder or not _is_zeroshot(path)}
    if not opened:
        raise ConfigError(f"{folder} holds runs of `mtl zeroshot` alone, which have no baselines. {_ENGINES}")
    runs = {path: run for path, run in opened.items() if run is not None and (path == folder or not run.pruned)}
    lacking = [str(path) for path in opened if path not in runs]
    if not runs:
        what = "is not finished" if lacking == [str(folder)] else "holds no finished run"
        raise ConfigError(f"{folder} {what}: there is no summary.json yet. Go on with it by run.if_exists=resume")
    if lacking:
        log.warning("not finished or pruned, left out: %s", ", ".join(lacking))
    return list(runs.values())


def _is_zeroshot(path: Path) -> bool:
    """Whether a run in a folder of runs is of `mtl zeroshot`; such runs have no baselines."""
    return command_of(read_config(path)) == "zeroshot"


def grouped(runs: Iterable[FinishedRun]) -> list[Group]:
    """Runs by config, in the order given.

    Raises:
        ConfigError: two runs of a group have the same seed.
    """
    groups: list[list[FinishedRun]] = []
    for run in runs:
        for group in groups:
            if same_but_seed(group[0], run):
                group.append(run)
                break
        else:
            groups.append([run])
    return [_group(group) for group in groups]


def same_but_seed(a: FinishedRun, b: FinishedRun) -> bool:
    """Whether two configs differ in the seed alone, apart from what says where a run is and how it is shown."""
    return not differences({**a.config, "seed": None}, {**b.config, "seed": None}, "train")


def _group(runs: list[FinishedRun]) -> Group:
    runs = sorted(runs, key=lambda run: run.seed)
    for a, b in itertools.pairwise(runs):
        if a.seed == b.seed:
            raise ConfigError(f"{a.path} and {b.path} have the same config and seed {a.seed}. Give one of them.")
    return Group(_name([str(run.path) for run in runs]), tuple(runs))


def _name(paths: list[str]) -> str:
    """What the paths have in common, without their seeds."""
    if len(paths) == 1:
        return paths[0]
    names = {_SEED.sub("", path).rstrip("/,") for path in paths}
    if len(names) == 1 and "" not in names:
        return names.pop()
    shared = os.path.commonpath([Path(path).absolute() for path in paths])
    tails = [os.path.relpath(path, shared) for path in paths]
    return "+".join(tails)[:80]
