"""`mtl eval`: a run's checkpoint on its tasks, or on other data for the same heads."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mtl_cli.config.schema import DataSection, EvalConfig, SourceConfig, TaskConfig
from mtl_cli.errors import ConfigError, Fault, did_you_mean
from mtl_cli.recipes.fabric import make_fabric
from mtl_cli.recipes.prepare import BoundTask, Rows, bind_tasks, describe_data
from mtl_cli.recipes.scoring import Scored, Scoring, score, summarised
from mtl_cli.recipes.stored import StoredRun, open_stored
from mtl_cli.report.table import score_table
from mtl_cli.runs.files import explained, write_json, write_text
from mtl_cli.runs.provenance import environment
from mtl_cli.tasks.kinds.base import Kind

log = logging.getLogger(__name__)


def evaluate(config: EvalConfig, values: Mapping[str, Any]) -> Path:
    """Score a checkpoint and return the folder with summary and predictions.

    Raises:
        ConfigError: no such run, checkpoint, task or head.
        DataError: the data does not fit.
    """
    run = open_stored(config.run, config.checkpoint)
    trained = run.tasks()
    asked = _asked_tasks(config, run)
    heads = {name: _head(name, bound, trained, config.heads or {}) for name, bound in asked.items()}
    fabric = make_fabric(config.fabric)
    backbone = run.backbone()
    rows = Rows(_data(config, run), backbone)
    sets = {name: rows.open(bound.task, config.split, need_labels=False) for name, bound in asked.items()}
    kinds = {name: bound.task.kind for name, bound in trained.items()}
    model = run.model(backbone, kinds, fabric)
    scored = [
        Scored(name, kinds[heads[name]], bound.metrics, heads[name], sets[name], bound.task.kind)
        for name, bound in asked.items()
    ]
    folder = _folder(config, run, values)
    shutil.rmtree(folder / "predictions", ignore_errors=True)  # of an earlier question under the same name
    scores = score(
        scored,
        Scoring(model, fabric, config.batch_tokens, config.bootstrap, config.seed, lambda: None),
        folder / "predictions",
    )
    with explained(folder):
        write_text(folder / "config.yaml", yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True))
        summary = {
            "status": "done",
            "run": str(run.path),
            "checkpoint": run.checkpoint.path.name,
            "split": config.split,
            **summarised(scores),
            "heads": heads,
            "data": describe_data(sets),
            "environment": environment(),
        }
        write_json(folder / "summary.json", summary)
    _report(scored, scores, run, config.split)
    return folder


def _report(scored: list[Scored], scores: list[Any], run: StoredRun, split: str) -> None:
    unscored = [task.name for task in scored if task.name not in {s.task for s in scores}]
    if unscored:
        log.warning(
            "%s: the %s split has no labels: predictions are written, there is no score", ", ".join(unscored), split
        )
    if scores:
        log.info("%s", score_table(scores, f"{run.identity} on {split}"))


def _asked_tasks(config: EvalConfig, run: StoredRun) -> dict[str, BoundTask]:
    chosen: dict[str, TaskConfig] = dict(config.tasks or run.config.tasks)
    faults = []
    for name, file in (config.files or {}).items():
        if name not in chosen:
            faults.append(Fault(f"files.{name}", f"no task has this name. {did_you_mean(name, chosen)}"))
            continue
        chosen[name] = dataclasses.replace(chosen[name], source=SourceConfig(files={config.split: file}))
    faults += [
        Fault(f"heads.{name}", f"no task has this name. {did_you_mean(name, chosen)}")
        for name in config.heads or {}
        if name not in chosen
    ]
    if config.files:
        chosen = {name: task for name, task in chosen.items() if name in config.files}
    bound = bind_tasks(chosen, config.data.max_length or run.config.data.max_length, faults)
    if faults:
        raise ConfigError(faults)
    return bound


def _data(config: EvalConfig, run: StoredRun) -> DataSection:
    """The run's data section with what was given anew; a new root alone means that it is to be looked at."""
    given = {f.name: getattr(config.data, f.name) for f in dataclasses.fields(config.data)}
    given = {name: value for name, value in given.items() if value is not None}
    if "root" in given:
        given.setdefault("source", "auto")
    return dataclasses.replace(run.config.data, **given)


def _head(name: str, bound: BoundTask, trained: Mapping[str, BoundTask], heads: Mapping[str, str]) -> str:
    """Which head scores a task: as told, else the one of the same name, else the only one that fits."""
    told = heads.get(name, name if name in trained else None)
    if told is not None:
        if told not in trained:
            raise ConfigError([Fault(f"heads.{name}", f"the run has no head '{told}'. {did_you_mean(told, trained)}")])
        if not _fits(bound.task.kind, trained[told].task.kind):
            raise ConfigError(
                [Fault(f"heads.{name}", f"head '{told}' {_misfit(bound.task.kind, trained[told].task.kind)}")]
            )
        return told
    fitting = [other for other, b in trained.items() if _fits(bound.task.kind, b.task.kind)]
    if len(fitting) != 1:
        found = f"several fit: {', '.join(fitting)}" if fitting else "no head has its labels"
        raise ConfigError(
            [
                Fault(
                    "heads",
                    f"the run was not trained on '{name}', and {found}. Heads: {', '.join(trained)}. Give heads={{{name}: HEAD}}",
                )
            ]
        )
    log.info("head     %s is scored by the head of %s", name, fitting[0])
    return fitting[0]


def _fits(own: Kind, head: Kind) -> bool:
    return own.name == head.name and set(own.classes) <= set(head.classes)


def _misfit(own: Kind, head: Kind) -> str:
    if own.name != head.name:
        return f"is for {head.name}, the task is {own.name}"
    return f"has no label {', '.join(sorted(set(own.classes) - set(head.classes)))}"


def _folder(config: EvalConfig, run: StoredRun, values: Mapping[str, Any]) -> Path:
    """RUN/evals/NAME; the same question has the same name, so asking again replaces the answer."""
    asked = {k: v for k, v in values.items() if k not in ("fabric", "name", "batch_tokens")}
    short = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:6]
    name = config.name or f"{config.split}-{run.checkpoint.path.name}-{short}"
    if "/" in name or name.startswith("."):
        raise ConfigError([Fault("name", f"must be one folder name; found '{name}'")])
    return run.path / "evals" / name
