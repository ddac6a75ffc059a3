"""Run folders -> records for tables."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mtl_cli.config.keys import changes_result
from mtl_cli.errors import ConfigError, MtlError
from mtl_cli.redact import as_written
from mtl_cli.runs.files import shortened
from mtl_cli.runs.folder import read_config
from mtl_cli.runs.formats import Summary, UnreadableError, read_summary, read_sweep
from mtl_cli.runs.place import is_file, is_folder

log = logging.getLogger(__name__)

_SKIP = {"checkpoints", "evals", "predictions"}


@dataclass(frozen=True)
class RunRecord:
    """One run folder as a row of a table."""

    name: str
    """Path below the folder that was listed."""
    status: str
    """done, pruned, stopped (has a checkpoint), started, failed, waiting (a point of a sweep), or unreadable (damaged files)."""
    config: Mapping[str, Any]
    """Dotted key -> value."""
    summary: Summary | None
    """None until the run is done."""
    mark: str = ""
    """`*` on the Pareto front over tasks, `best mean` with the highest mean; set by `report.pareto`."""
    partial: bool = False
    """A point of a sweep that has no folder: of its config, only what the sweep varies is known."""

    def cell(self, column: str) -> Any:
        """The value of a column: a field, a score (`mean`, `rte`, `mrpc/f1`), a summary entry or a config key; None if the run has none."""
        if column in ("run", "status", "front"):
            return {"run": self.name, "status": self.status, "front": self.mark}[column]
        if column in self.scores:
            return self.scores[column]
        if column in self.extra:
            return self.extra[column]
        return self.config.get(column)

    @property
    def is_zeroshot(self) -> bool:
        """Whether it is a run of `mtl zeroshot`."""
        return "decide.hold" in self.config

    @property
    def extra(self) -> dict[str, Any]:
        """Entries of the summary that fit into a cell; what is undefined, and which tasks the mean is over."""
        raw = self.summary.raw if self.summary is not None else {}
        found = {name: value for name, value in raw.items() if not isinstance(value, dict | list)}
        if self.averaged:
            found["mean of"] = ", ".join(self.averaged)
        if isinstance(undefined := raw.get("undefined"), list) and undefined:
            found["undefined"] = "; ".join(map(str, undefined))
        return found

    @property
    def scores(self) -> dict[str, float | None]:
        """`mean`, each task's score, and each metric as `task/metric` (`task/set/metric` if there are several sets)."""
        if self.summary is None:
            return {}
        found = {"mean": self.summary.mean}
        for task, entry in self.summary.tasks.items():
            found[task] = entry.score
            several = len({m.set_name for m in entry.metrics}) > 1
            for m in entry.metrics:
                found[f"{task}/{m.set_name}/{m.metric}" if several else f"{task}/{m.metric}"] = m.value
        return found

    @property
    def tasks(self) -> list[str]:
        """Names of the scored tasks."""
        return list(self.summary.tasks) if self.summary is not None else []

    @property
    def averaged(self) -> list[str]:
        """Tasks that the mean is over: those whose scores are better when higher."""
        tasks = self.summary.tasks if self.summary is not None else {}
        return [name for name, entry in tasks.items() if entry.higher_is_better]


def collect(folder: Path) -> list[RunRecord]:
    """All runs in a folder and below, by name. Raises `ConfigError` if the folder is not there."""
    if not is_folder(folder):
        raise ConfigError(f"there is no folder {shortened(folder)}")
    found = [_record(path, folder) for path in sorted(run_folders(folder))]
    return _with_points(found, folder)


def _with_points(runs: list[RunRecord], folder: Path) -> list[RunRecord]:
    """Add what a sweep's own list knows: points that failed, and those that have no folder."""
    if not os.path.lexists(folder / "sweep.json"):
        return runs
    try:
        points = {p.run.rpartition("/")[2]: (bool(p.error), dict(p.varied)) for p in read_sweep(folder)}
    except UnreadableError as error:
        log.warning("%s", error)
        return runs
    unfinished = {"started", "stopped"}
    runs = [
        replace(run, status="failed") if run.status in unfinished and points.get(run.name, (False,))[0] else run
        for run in runs
    ]
    have = {run.name for run in runs}
    lacking = [
        RunRecord(name, "failed" if failed else "waiting", varied, None, partial=True)
        for name, (failed, varied) in points.items()
        if name not in have
    ]
    return sorted([*runs, *lacking], key=lambda run: run.name) if lacking else runs


def run_folders(folder: Path) -> Iterator[Path]:
    """The folder itself if it is a run, else all runs below it; evaluations are no runs.

    Links are followed after all else, and no folder is listed twice, so a link to a folder above it does no harm.
    """
    waiting, linked, seen = [folder], list[Path](), set[tuple[int, int]]()
    while waiting or linked:
        path = waiting.pop() if waiting else linked.pop(0)
        with contextlib.suppress(OSError):  # gone meanwhile, or not for us to read
            found = path.stat()
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
            if is_file(path / "config.yaml") and os.path.lexists(path / "env.json"):
                yield path
                continue
            inner = [p for p in sorted(path.iterdir()) if p.name not in _SKIP and not p.name.startswith(".")]
            linked += [p for p in inner if p.is_symlink()]
            waiting += [p for p in reversed(inner) if not p.is_symlink() and p.is_dir()]


def _record(path: Path, folder: Path) -> RunRecord:
    name = str(path.relative_to(folder)) if path != folder else path.resolve().name
    try:
        config = dict(_flat(read_config(path)))
        summary = read_summary(path) if os.path.lexists(path / "summary.json") else None
    except MtlError:
        return RunRecord(name, "unreadable", {}, None)
    if summary is not None:
        return RunRecord(name, summary.status, config, summary)
    stopped = any((path / "checkpoints").glob("step_*"))
    return RunRecord(name, "stopped" if stopped else "started", config, None)


def planned(name: str, values: Mapping[str, Any]) -> RunRecord:
    """A run that is yet to be: its composed config alone."""
    return RunRecord(name, "waiting", dict(_flat(as_written(values))), None)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def varied_keys(runs: list[RunRecord]) -> list[str]:
    """Config keys that count for the result and differ between runs of one command: `mtl train` and `mtl zeroshot` share few keys."""
    runs = [run for run in runs if run.config and not run.partial] or runs
    commands = {"train": [r for r in runs if not r.is_zeroshot], "zeroshot": [r for r in runs if r.is_zeroshot]}
    keys = list(dict.fromkeys(key for run in runs for key in run.config))
    # Tasks are columns of their own.
    compared = [key for key in keys if key.partition(".")[0] != "tasks"]
    varied = [
        key
        for key in compared
        if any(changes_result(command, key) and _differs(key, group) for command, group in commands.items())
    ]
    # Another member of a family has other options: its name says it all.
    renamed = {key.removesuffix("name") for key in varied if key.endswith(".name")}
    return [key for key in varied if key.endswith(".name") or not any(key.startswith(family) for family in renamed)]


def _differs(key: str, runs: Sequence[RunRecord]) -> bool:
    return len({json.dumps(run.config.get(key), default=str) for run in runs}) > 1


def default_columns(runs: list[RunRecord]) -> list[str]:
    """Name, status, what differs between the runs, the scores, and the note on the data if there is one.

    Where means are over other tasks, a column names these; where a score is undefined, one says why.
    """
    tasks = list(dict.fromkeys(task for run in runs for task in run.tasks))
    notes = ["note"] if any(run.summary is not None and run.summary.note for run in runs) else []
    undefined = ["undefined"] if any("undefined" in run.extra for run in runs) else []
    mixed = ["mean of"] if len({tuple(sorted(run.averaged)) for run in runs if run.averaged}) > 1 else []
    return ["run", "status", *varied_keys(runs), "steps", "mean", *mixed, *tasks, "seconds", *undefined, *notes]
