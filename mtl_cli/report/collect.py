"""Run folders -> records for tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mtl_cli.errors import ConfigError, MtlError
from mtl_cli.redact import as_written
from mtl_cli.runs.folder import read_config

_SKIP = {"checkpoints", "evals", "predictions"}
_NOT_VARIED = (
    "run", "seeds", "baselines", "baseline_budget", "tasks", "data.root", "data.cache", "train.progress", "fabric",
    "launcher", "search", "backbone.package",
)  # fmt: skip


@dataclass(frozen=True)
class RunRecord:
    """One run folder as a row of a table."""

    name: str
    """Path below the folder that was listed."""
    status: str
    """done, pruned, stopped (has a checkpoint), started, failed, waiting (a point of a sweep), or unreadable (damaged files)."""
    config: Mapping[str, Any]
    """Dotted key -> value."""
    summary: Mapping[str, Any]
    """Empty until the run is done."""
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
        if column in self.summary and not isinstance(self.summary[column], dict | list):
            return self.summary[column]
        return self.config.get(column)

    @property
    def scores(self) -> dict[str, float | None]:
        """`mean`, each task's score, and each metric as `task/metric` (`task/set/metric` if there are several sets)."""
        if not self.summary:
            return {}
        found = {"mean": self.summary.get("mean")}
        for task, entry in self.summary.get("tasks", {}).items():
            found[task] = entry["score"]
            several = len({m["set_name"] for m in entry["metrics"]}) > 1
            for m in entry["metrics"]:
                found[f"{task}/{m['set_name']}/{m['metric']}" if several else f"{task}/{m['metric']}"] = m["value"]
        return found

    @property
    def tasks(self) -> list[str]:
        """Names of the scored tasks."""
        return list(self.summary.get("tasks", {}))


def collect(folder: Path) -> list[RunRecord]:
    """All runs in a folder and below, by name. Raises `ConfigError` if the folder is not there."""
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}")
    found = [_record(path, folder) for path in sorted(run_folders(folder))]
    return _with_points(found, folder)


def _with_points(runs: list[RunRecord], folder: Path) -> list[RunRecord]:
    """Add what a sweep's own list knows: points that failed, and those that have no folder."""
    try:
        listed = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
        points = {str(p["run"]).rpartition("/")[2]: (bool(p.get("error")), dict(p.get("varied", {}))) for p in listed}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return runs
    unfinished = {"started", "stopped"}
    runs = [
        replace(run, status="failed") if run.status in unfinished and points.get(run.name, (False,))[0] else run
        for run in runs
    ]
    have = {run.name for run in runs}
    lacking = [
        RunRecord(name, "failed" if failed else "waiting", varied, {}, partial=True)
        for name, (failed, varied) in points.items()
        if name not in have
    ]
    return sorted([*runs, *lacking], key=lambda run: run.name) if lacking else runs


def run_folders(folder: Path) -> Iterator[Path]:
    """The folder itself if it is a run, else all runs below it; evaluations are no runs."""
    if (folder / "config.yaml").is_file() and (folder / "env.json").is_file():
        yield folder
        return
    for path in folder.iterdir():
        if path.is_dir() and path.name not in _SKIP and not path.name.startswith("."):
            yield from run_folders(path)


def _record(path: Path, folder: Path) -> RunRecord:
    name = str(path.relative_to(folder)) if path != folder else path.resolve().name
    try:
        config = read_config(path)
        summary_path = path / "summary.json"
        summary = json.loads(summary_path.read_text(encoding="utf-8")) if summary_path.is_file() else {}
        record = RunRecord(name, "done", {}, summary)
        _ = (record.scores, record.tasks)
    except (MtlError, ValueError, KeyError, TypeError, AttributeError):
        return RunRecord(name, "unreadable", {}, {})
    status = (
        str(summary.get("status", "done"))
        if summary
        else "stopped"
        if any((path / "checkpoints").glob("step_*"))
        else "started"
    )
    return RunRecord(name, status, dict(_flat(config)), summary)


def planned(name: str, values: Mapping[str, Any]) -> RunRecord:
    """A run that is yet to be: its composed config alone."""
    return RunRecord(name, "waiting", dict(_flat(as_written(values))), {})


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def varied_keys(runs: list[RunRecord]) -> list[str]:
    """Config keys whose value is not the same in all runs."""
    runs = [run for run in runs if not run.partial] or runs
    keys = list(dict.fromkeys(key for run in runs for key in run.config))
    varied = [
        key for key in keys
        if not any(key == n or key.startswith(f"{n}.") for n in _NOT_VARIED) and len({json.dumps(run.config.get(key)) for run in runs}) > 1
    ]  # fmt: skip
    # Another member of a family has other options: its name says it all.
    renamed = {key.removesuffix("name") for key in varied if key.endswith(".name")}
    return [key for key in varied if key.endswith(".name") or not any(key.startswith(family) for family in renamed)]


def default_columns(runs: list[RunRecord]) -> list[str]:
    """Name, status, what differs between the runs, the scores, and the note on the data if there is one."""
    tasks = list(dict.fromkeys(task for run in runs for task in run.tasks))
    notes = ["note"] if any(run.summary.get("note") for run in runs) else []
    return ["run", "status", *varied_keys(runs), "steps", "mean", *tasks, "seconds", *notes]
