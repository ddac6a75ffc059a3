"""`mtl eval`: a run's checkpoint on its tasks, or on other data for the same heads."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mtl_cli.assemble.data_facts import data_facts, describe_data, report_data
from mtl_cli.assemble.fabric import make_fabric, use_threads
from mtl_cli.assemble.rows import Rows
from mtl_cli.assemble.scoring import Scored, Scoring, score, summarised
from mtl_cli.assemble.stored import StoredRun, open_stored
from mtl_cli.assemble.tasks import BoundTask, bind_tasks
from mtl_cli.config.keys import result_values
from mtl_cli.config.schema import DataSection, EvalConfig, SourceConfig, TaskConfig
from mtl_cli.digest import json_digest
from mtl_cli.errors import ConfigError, Fault, did_you_mean
from mtl_cli.redact import as_written
from mtl_cli.report.table import score_table
from mtl_cli.runs.files import explained, write_json, write_text
from mtl_cli.runs.folder import answer_folder, check_answer_name
from mtl_cli.runs.provenance import environment
from mtl_cli.tasks.kinds.base import Kind
from mtl_cli.tasks.task import Task

log = logging.getLogger(__name__)


def evaluate(config: EvalConfig, values: Mapping[str, Any]) -> Path:
    """Score a checkpoint and return the folder with summary and predictions.

    Raises:
        ConfigError: no such run, checkpoint, task or head.
        DataError: the data does not fit.
    """
    if config.name is not None:
        check_answer_name(config.name)
    run = open_stored(config.run, config.checkpoint, trust=config.trust)
    trained = run.tasks()
    asked = _asked_tasks(config, run)
    heads = {name: _head(name, bound, Heads(trained), config.heads or {}) for name, bound in asked.items()}
    fabric = make_fabric(config.fabric)
    use_threads(config.fabric)
    backbone = run.backbone()
    rows = Rows(_data(config, run), backbone, run.readings())
    sets = {name: rows.open(bound.task, config.split, need_labels=False) for name, bound in asked.items()}
    facts = data_facts(asked, sets, config.split)
    report_data(facts)
    kinds = {name: bound.task.kind for name, bound in trained.items()}
    model = run.model(backbone, fabric)
    scored = [
        Scored(name, kinds[heads[name]], bound.metrics, heads[name], sets[name], bound.task.kind)
        for name, bound in asked.items()
    ]
    name = _name(config, run, values)
    with answer_folder(run.place, "evals", name) as folder:
        scores = score(
            scored,
            Scoring(model, fabric, config.batch_tokens, config.bootstrap, config.seed, lambda: None, key=""),
            folder / "predictions",
        )
        with explained(folder, ""):
            write_text(folder / "config.yaml", yaml.safe_dump(as_written(values), sort_keys=False, allow_unicode=True))
            summary = {
                "status": "done",
                "run": str(run.path),
                "checkpoint": run.checkpoint.path.name,
                "split": config.split,
                **summarised(scores),
                "heads": heads,
                "data": describe_data(facts),
                "environment": environment(),
            }
            write_json(folder / "summary.json", summary)
    _report(scored, scores, run, config.split)
    return run.path / "evals" / name


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
        usual = chosen[name].source
        source = SourceConfig(files={config.split: file}, delimiter=usual.delimiter, quoting=usual.quoting)
        chosen[name] = dataclasses.replace(chosen[name], source=source)
    faults += [
        Fault(f"heads.{name}", f"no task has this name. {did_you_mean(name, chosen)}")
        for name in config.heads or {}
        if name not in chosen
    ]
    if config.files:
        chosen = {name: task for name, task in chosen.items() if name in config.files}
    bound = bind_tasks(chosen, config.data.max_length or run.config.data.max_length, faults)
    unscored = [name for name, one in bound.items() if not one.scored]
    if len(unscored) == len(bound) or (config.tasks and unscored):
        faults += [Fault(f"tasks.{name}", "has no labels, so there is nothing to score") for name in unscored]
    if faults:
        raise ConfigError(faults)
    return {name: one for name, one in bound.items() if one.scored}


def _data(config: EvalConfig, run: StoredRun) -> DataSection:
    """The run's data section with what was given anew; a new root alone means that it is to be looked at."""
    given = {f.name: getattr(config.data, f.name) for f in dataclasses.fields(config.data)}
    given = {name: value for name, value in given.items() if value is not None}
    if "root" in given:
        given.setdefault("source", "auto")
    return dataclasses.replace(run.config.data, **given)


class Heads:
    """The heads of a run by name: of a task, or of a head that tasks share.

    Args:
        trained: tasks of the run.
    """

    def __init__(self, trained: Mapping[str, BoundTask]) -> None:
        self._trained = trained
        self.tasks: dict[str, list[str]] = {}
        """Tasks of each head."""
        for task, bound in trained.items():
            self.tasks.setdefault(bound.task.head_name, []).append(task)

    @property
    def names(self) -> list[str]:
        """What may be asked for."""
        return [*self.tasks, *(task for task in self._trained if task not in self.tasks)]

    def kind(self, task: str) -> Kind:
        """Kind of a task of the run."""
        return self._trained[task].task.kind

    def misfit(self, own: Task, task: str) -> str:
        """Why a task cannot be scored by the head of one of the run; empty if it can."""
        other = self._trained[task].task
        if not _fits(own.kind, other.kind):
            return _misfit(own.kind, other.kind)
        if own.input.name != other.input.name:
            return f"reads rows whose input is {other.input.name}. Give tasks.{own.name}.input={other.input.name}"
        return ""

    def task(self, name: str, key: str) -> str:
        """The task by which a head is reached. Raises `ConfigError` if there is none, or if its tasks read its outputs differently."""
        if name in self._trained:
            return name
        if name not in self.tasks:
            raise ConfigError([Fault(key, f"the run has no head '{name}'. {did_you_mean(name, self.names)}")])
        tasks = self.tasks[name]
        if any(self.kind(task).state() != self.kind(tasks[0]).state() for task in tasks):
            scales = f"the head '{name}' is of {', '.join(tasks)}, each of which has its own scale"
            raise ConfigError([Fault(key, f"{scales}. Name one of them")])
        return tasks[0]


def _head(name: str, bound: BoundTask, run: Heads, told: Mapping[str, str]) -> str:
    """Task of the run whose head scores a task: as told, else of the same name, else of the head it names, else the only head that fits."""
    own = bound.task.head
    known = name if name in run.names else own if own in run.tasks else None
    asked = told.get(name, known)
    if asked is not None:
        found = run.task(asked, f"heads.{name}")
        if misfit := run.misfit(bound.task, found):
            raise ConfigError([Fault(f"heads.{name}", f"head '{asked}' {misfit}")])
        if found != asked:
            log.info("head     %s is scored by the head '%s' of %s", name, asked, ", ".join(run.tasks[asked]))
        return found
    fitting = [head for head, tasks in run.tasks.items() if not run.misfit(bound.task, tasks[0])]
    if len(fitting) != 1:
        several = f"several fit: {', '.join(fitting)}" if fitting else "no head has its labels"
        problem = f"the run was not trained on '{name}', and {several}. Heads: {', '.join(run.tasks)}"
        ways = " or ".join(f"'heads={{{name}: {head}}}'" for head in fitting)
        remedy = f"Give {ways}" if fitting else f"Choose another task, or a run that was trained on '{name}'"
        raise ConfigError([Fault("heads", f"{problem}. {remedy}")])
    log.info("head     %s is scored by the head of %s", name, ", ".join(run.tasks[fitting[0]]))
    return run.task(fitting[0], "heads")


def _fits(own: Kind, head: Kind) -> bool:
    return own.name == head.name and set(own.classes) <= set(head.classes)


def _misfit(own: Kind, head: Kind) -> str:
    if own.name != head.name:
        return f"is for {head.name}, the task is {own.name}"
    return f"has no label {', '.join(sorted(set(own.classes) - set(head.classes)))}"


def _name(config: EvalConfig, run: StoredRun, values: Mapping[str, Any]) -> str:
    """Folder below RUN/evals; the same question has the same name, so asking again replaces the answer."""
    short = json_digest(result_values("eval", values))[:6]
    return config.name or f"{config.split}-{run.checkpoint.path.name}-{short}"
