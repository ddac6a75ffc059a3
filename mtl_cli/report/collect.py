"""Run folders -> records for tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_cli.errors import ConfigError, MtlError
from mtl_cli.runs.folder import read_config

_SKIP = {"checkpoints", "evals", "predictions"}
_NOT_VARIED = ("run", "tasks", "data.root", "data.cache", "train.progress", "fabric", "backbone.package")


@dataclass(frozen=True)
class RunRecord:
    """One run folder as a row of a table."""

    name: str
    """Path below the folder that was listed."""
    status: str
    """done, stopped (has a checkpoint), started, or unreadable (its files are damaged)."""
    config: Mapping[str, Any]
    """Dotted key -> value."""
    summary: Mapping[str, Any]
    """Empty until the run is done."""

    def cell(self, column: str) -> Any:
        """The value of a column: a field, a score (`mean`, `rte`, `mrpc/f1`), a summary entry or a config key; None if the run has none."""
        if column in ("run", "status"):
            return self.name if column == "run" else self.status
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
    return [_record(path, folder) for path in sorted(_run_folders(folder))]


def _run_folders(folder: Path) -> Iterator[Path]:
    if (folder / "config.yaml").is_file() and (folder / "env.json").is_file():
        yield folder
        return
    for path in folder.iterdir():
        if path.is_dir() and path.name not in _SKIP and not path.name.startswith("."):
            yield from _run_folders(path)


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
    status = "done" if summary else "stopped" if any((path / "checkpoints").glob("step_*")) else "started"
    return RunRecord(name, status, dict(_flat(config)), summary)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def varied_keys(runs: list[RunRecord]) -> list[str]:
    """Config keys whose value is not the same in all runs."""
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
