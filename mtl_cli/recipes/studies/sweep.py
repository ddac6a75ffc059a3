"""Points of a sweep, run by a launcher; what each came to stands in sweep.json and pareto.json."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mtl_cli.analysis.collect import RunRecord, collect, planned, varied_keys
from mtl_cli.analysis.pareto import as_json, marked
from mtl_cli.assemble.bound import bind_all
from mtl_cli.config.convert import bind
from mtl_cli.config.paths import cache_dir, outputs_dir
from mtl_cli.config.schema import TrainConfig
from mtl_cli.errors import ConfigError, Fault, Interrupted
from mtl_cli.launch.base import Job, Launcher, Outcome
from mtl_cli.recipes.asked import Asked
from mtl_cli.recipes.train.pruning import Watch
from mtl_cli.recipes.train.run import train
from mtl_cli.report.console import setup_messages
from mtl_cli.runs.files import explained, write_json
from mtl_cli.runs.folder import RunFolder, clean_scratch
from mtl_cli.runs.place import Place

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainPoint:
    """The work of a job: one run, trained where it is called."""

    asked: Asked
    watch: Watch | None
    apart: bool
    """Whether it is called in another process, which is quiet but for warnings."""
    cwd: str

    def __call__(self) -> None:
        """Train; raises `MtlError` if that fails."""
        if self.apart:
            os.chdir(self.cwd)
            setup_messages(quiet=True)
            warnings.filterwarnings("ignore")
        if self.watch is None:
            train(self.asked)
        else:
            train(self.asked, self.watch)


def job_of(asked: Asked, launcher: Launcher, place: str, watch: Watch | None = None) -> Job:
    """The job of one point. For another process, folders are written out and the progress display is off."""
    config = asked.config
    if launcher.apart:
        config = replace(
            config,
            run=replace(config.run, outputs=str(outputs_dir(config.run.outputs).absolute())),
            data=replace(config.data, cache=str(cache_dir(config.data.cache).absolute())),
            train=replace(config.train, progress="none"),
        )
    work = TrainPoint(replace(asked, config=config), watch, launcher.apart, str(Path.cwd()))
    return Job(point_name(asked), work, place)


def point_name(asked: Asked) -> str:
    """Folder of a point below its sweep."""
    return str(asked.config.run.name).rpartition("/")[2]


def launcher_of(config: TrainConfig, folder: Path) -> Launcher:
    """The launcher that a config names, ready to run. Raises `ConfigError` if it cannot be used."""
    faults: list[Fault] = []
    bound = bind("launcher", config.launcher, faults, "launcher")
    if bound is None:
        raise ConfigError(faults)
    launcher: Launcher = bound.build()
    launcher.prepare(folder)
    return launcher


class Ledger:
    """sweep.json: every point with what it varies and why it failed, if it did.

    Args:
        place: the sweep's folder.
    """

    def __init__(self, place: Place) -> None:
        self._place, self._folder = place, place.path
        self._points: dict[str, dict[str, Any]] = {}
        self.failed: list[str] = []

    def add(self, asked: Asked, varied: Mapping[str, Any]) -> None:
        """List a point; `write` puts it down."""
        self._points[point_name(asked)] = {
            "run": asked.config.run.name,
            "overrides": list(asked.overrides),
            "varied": dict(varied),
            "error": None,
        }

    def ended(self, outcome: Outcome) -> None:
        """Note how a point ended. Raises `RunError` if the sweep's folder has gone."""
        self._place.check()
        if outcome.error is not None:
            log.error("point %s failed: %s", outcome.name, outcome.error)
            self.failed.append(outcome.name)
            self._points[outcome.name]["error"] = str(outcome.error)
            self.write()
        else:
            log.info("point    ended: %s", outcome.name)

    def fail(self, name: str, error: str) -> None:
        """Note that a point failed before, and is not tried again."""
        self._points[name]["error"] = error
        self.failed.append(name)

    def write(self) -> None:
        """Write sweep.json."""
        self._place.check()
        with explained(self._folder):
            write_json(self._folder / "sweep.json", list(self._points.values()))

    def close(self) -> list[RunRecord]:
        """Write pareto.json; returns the marked points."""
        self._place.check()
        runs = marked(collect(self._folder))
        varied = list(dict.fromkeys(key for point in self._points.values() for key in point["varied"]))
        with explained(self._folder):
            write_json(self._folder / "pareto.json", as_json(runs, varied))
        return runs


@contextmanager
def held(folder: Path, left: Callable[[], int]) -> Iterator[Place]:
    """Hold the lock of a sweep's folder; an interruption says how to go on.

    Args:
        folder: made if it is not there.
        left: how many points are not done.
    """
    lock = RunFolder(folder)
    clean_scratch(folder)
    try:
        yield lock.place
    except Interrupted as error:
        count = left()
        points = f"{count} {'point is' if count == 1 else 'points are'} left" if count else ""
        again = f"the same command with run.name={folder.name}"
        raise Interrupted(error.what, error.signal_number, points, again) from None
    finally:
        lock.close()


def sweep(points: Sequence[Asked], folder: Path) -> list[str]:
    """Train every point; one that fails does not stop the others.

    Returns:
        Names of the points that failed; what was wrong is said when it happens.

    Raises:
        ConfigError: the builders of some point do not bind, or the launcher cannot be used; nothing was run.
        Interrupted: told to stop; finished points are kept, the current ones have saved their state.
    """
    _check(points)
    launcher = launcher_of(points[0].config, folder)
    ended: list[str] = []
    with held(folder, lambda: len(points) - len(ended)) as place:
        ledger = Ledger(place)
        records = [planned(point_name(p), p.values) for p in points]
        keys = varied_keys(records)
        for point, record in zip(points, records, strict=True):
            ledger.add(point, {key: record.config.get(key) for key in keys})
        ledger.write()
        for outcome in launcher.run(_jobs(points, launcher)):
            ended.append(outcome.name)
            ledger.ended(outcome)
        ledger.close()
    return ledger.failed


def _jobs(points: Sequence[Asked], launcher: Launcher) -> list[Job]:
    return [job_of(point, launcher, f"{i} of {len(points)}") for i, point in enumerate(points, start=1)]


def _check(points: Sequence[Asked]) -> None:
    faults: list[Fault] = []
    for point in points:
        try:
            bind_all(point.config)
        except ConfigError as error:
            faults += [f for f in error.faults if f not in faults]
    if faults:
        raise ConfigError(faults)
