"""`mtl transfer`: train a mix with one family of tasks left out at a time, and ask each run for the labels that it never saw."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_cli.assemble.bound import bind_all
from mtl_cli.config.compose import quoted
from mtl_cli.config.keys import own_sections
from mtl_cli.config.paths import outputs_dir
from mtl_cli.config.question import Point, Question
from mtl_cli.config.read import read
from mtl_cli.config.schema import TrainConfig
from mtl_cli.config.schema_transfer import TransferConfig
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.recipes.asked import Asked
from mtl_cli.recipes.train.run import train
from mtl_cli.recipes.zeroshot.compare import compare_engines
from mtl_cli.report.transfer import TransferRow, TransferTable
from mtl_cli.runs.files import explained, plain, write_json
from mtl_cli.runs.folder import default_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Run:
    """One of the runs."""

    name: str
    tasks: tuple[str, ...]


def transfer(config: TransferConfig, asked: Asked) -> tuple[Path, TransferTable]:
    """Train the runs, ask them, and compare; what is finished is not done again.

    The runs are `core` (tasks of no family), `without_<family>` and, if it is asked for, `whole`. Each family's tasks are asked
    of `core`, of the run without that family, of `whole`, and of the encoder as it was before any training.

    Args:
        config: what is asked.
        asked: the same, as training needs it; its values hold the keys that training does not know.

    Returns:
        The folder of all runs and answers, and the table, which is also written to transfer.json.

    Raises:
        ConfigError, DataError: what was asked cannot be run.
        RunError: a run or an answer failed; those before it are kept.
        Interrupted: it was told to stop; the same command goes on.
    """
    name = config.run.name or default_name("transfer")
    folder = outputs_dir(config.run.outputs) / name
    if (folder / "config.yaml").is_file():
        raise ConfigError([Fault("run.name", f"{folder} is a run of its own. Give another name.")])
    runs = list(_runs(config))
    points = [_asked(asked, run, f"{name}/{run.name}") for run in runs]
    for point in points:
        bind_all(point.config)
    for i, (run, point) in enumerate(zip(runs, points, strict=True), start=1):
        log.info("run      %d of %d: %s (%s)", i, len(runs), run.name, ", ".join(run.tasks))
        train(point)
    rows = [row for family, tasks in config.left_out.items() for row in _answered(config, asked, name, family, tasks)]
    table = TransferTable(tuple(rows), config.ask.bootstrap, config.seed)
    with explained(folder):
        write_json(folder / "transfer.json", plain(dataclasses.asdict(table)))
    return folder, table


def _runs(config: TransferConfig) -> Iterator[_Run]:
    held = {name for names in config.families.values() for name in names}
    yield _Run("core", tuple(name for name in config.tasks if name not in held))
    for family, names in config.left_out.items():
        yield _Run(f"without_{family}", tuple(name for name in config.tasks if name not in names))
    if config.whole:
        yield _Run("whole", tuple(config.tasks))


def _asked(asked: Asked, run: _Run, name: str) -> Asked:
    values = {key: copy.deepcopy(value) for key, value in asked.values.items() if key not in own_sections("transfer")}
    for section in ("tasks", "weights"):
        values[section] = {task: values[section][task] for task in run.tasks}
    values["run"]["name"] = name
    return dataclasses.replace(asked, config=read(TrainConfig, values), values=values, command="transfer")


def _answered(
    config: TransferConfig, asked: Asked, name: str, family: str, tasks: Sequence[str]
) -> Iterator[TransferRow]:
    outputs = outputs_dir(config.run.outputs)
    for task in tasks:
        heads = {"core": "core", "without": f"without_{family}"} | ({"whole": "whole"} if config.whole else {})
        engines: dict[str, Mapping[str, Any]] = {
            shown: {"run": str(outputs / name / run), "method": "nli"} for shown, run in heads.items()
        }
        engines["untrained"] = {"method": "embed"}
        points = [
            Point(shown, _question(config, asked, task, engine, f"{name}/asked/{task}/{shown}"))
            for shown, engine in engines.items()
        ]
        found = compare_engines(points, outputs / name / "asked" / task)
        assert found is not None
        yield TransferRow(
            family, task, found.gold, {row.name: row.scores for row in found.rows if row.scores is not None}
        )


def _question(config: TransferConfig, asked: Asked, task: str, engine: Mapping[str, Any], out: str) -> Question:
    """A task's own labels, asked of one engine."""
    overrides = [f"{key}={quoted(str(value))}" for key, value in engine.items()]
    if "run" in engine:
        overrides.append(f"method.task={quoted(config.tasks[task].head or task)}")
    flags = {
        "tasks": {task: asked.values["tasks"][task]}, "split": config.ask.split, "limit": config.ask.limit, "seed": config.seed,
        "templates": config.ask.templates if "run" in engine else ["{}"], "bootstrap": config.ask.bootstrap,
        "data.source": config.data.source, "data.root": config.data.root, "max_length": config.data.max_length,
        "fabric": asked.values["fabric"], **({} if "run" in engine else {"backbone": asked.values["backbone"]}),
        # Its config is that of this very command: train has compared the two.
        "trust": "run" in engine, "out.name": out, "out.if_exists": "skip", "out.outputs": config.run.outputs,
    }  # fmt: skip
    return Question(tuple(overrides), flags, tuple(Path(folder) for folder in asked.config_dirs))
