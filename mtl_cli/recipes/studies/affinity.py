"""`mtl affinity`: a short run, or a stored one -> how tasks get on with one another, groups of them, and the config that trains these."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from mtl_cli.assemble.bound import bind_all
from mtl_cli.assemble.data_facts import data_line
from mtl_cli.assemble.fabric import make_fabric, use_threads
from mtl_cli.assemble.lambdas import Lambdas
from mtl_cli.assemble.opened import open_rows
from mtl_cli.assemble.planned import pass_limits
from mtl_cli.assemble.stored import StoredRun, open_stored
from mtl_cli.config.convert import Node, convert_or_raise
from mtl_cli.config.keys import is_display, own_sections, result_values
from mtl_cli.config.paths import outputs_dir
from mtl_cli.config.schema import DataSection, TrainConfig
from mtl_cli.config.schema_affinity import AffinityConfig, AffinityRunConfig, MeasureSection
from mtl_cli.config.trust import stored_values
from mtl_cli.data.loader import StepLoader
from mtl_cli.data.sampler.all_tasks import AllTasks
from mtl_cli.digest import json_digest
from mtl_cli.errors import ConfigError, Fault, RunError
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.sharing.groups import GroupedSharing
from mtl_cli.optim.groups import Placed, freeze
from mtl_cli.recipes.asked import Asked
from mtl_cli.recipes.train.run import train
from mtl_cli.report.affinity import Measure, Proposal, averaged, proposal_json, proposed
from mtl_cli.runs.files import explained, write_json, write_text
from mtl_cli.runs.folder import answer_folder, default_name, read_config
from mtl_cli.runs.formats import read_environment, read_metrics, read_summary, read_text
from mtl_cli.runs.place import Place
from mtl_cli.train.affinity import LookAheads
from mtl_cli.train.diagnose import Diagnostics
from mtl_cli.train.rows import RowStore
from mtl_cli.train.step.passes import Passes
from mtl_cli.weighting.base import Chosen

log = logging.getLogger(__name__)

_LENGTH = re.compile(r"[+~]*train\.(steps|epochs)\b")


@dataclass(frozen=True)
class Affinity:
    """What a measurement left behind."""

    folder: Path
    proposal: Proposal
    shown: tuple[Measure, ...]
    """The matrices that were asked for."""
    command: str
    """Trains the proposed groups."""


def affinity_of_training(config: AffinityConfig, asked: Asked) -> Affinity:
    """Train as `mtl train` does, look at the tasks every so many steps, and propose groups.

    Args:
        config: what is asked.
        asked: the same, as training needs it; its values may hold the keys that training does not know.

    Raises:
        ConfigError, DataError: what was asked cannot be run; a folder made for it is gone again.
        RunError: it failed on the way, or two tasks could not be compared.
        Interrupted: it was told to stop, and has saved its state.
    """
    measure = config.measure
    _check_training(config)
    name = config.run.name or f"affinity-{default_name(asked.what)}"
    values = {key: value for key, value in asked.values.items() if key not in own_sections("affinity")}
    values["run"] = {**values["run"], "name": name}
    named = dataclasses.replace(config, run=dataclasses.replace(config.run, name=name))
    look_ahead = None if measure.kind == "cosine" else measure.look_ahead
    path = outputs_dir(config.run.outputs) / name
    if config.run.if_exists != "error":
        _check_same_looks(path / "metrics.jsonl", look_ahead)
    try:
        folder = train(dataclasses.replace(asked, config=named, values=values, command="affinity"), None, look_ahead)
    except ConfigError as error:
        raise ConfigError(f.with_prefix("measure", instead_of="diagnostics") for f in error.faults) from error
    found = proposed(averaged(_records(folder), list(config.tasks)), config.k, _by(measure))
    kept = [text for text in asked.overrides if not _LENGTH.match(text)]
    return _written(
        folder, found, _Question(measure, config.branch_at, config.sharing, kept, asked.config_dirs), folder
    )


def affinity_of_run(config: AffinityRunConfig, values: Mapping[str, Any]) -> Affinity:
    """Look at the tasks of a finished run at one of its checkpoints, or at what training wrote of them, and propose groups.

    Args:
        config: what is asked.
        values: the same in plain values.

    Raises:
        ConfigError: no such run or checkpoint, or it cannot be measured so.
        DataError: the run's rows are not there any more.
        RunError: the run is not finished, or two tasks could not be compared.
    """
    path = Path(config.run).expanduser()
    read_config(path)
    place = Place.of(path)
    run = convert_or_raise(TrainConfig, stored_values(read_config(path), path, trust=config.trust))
    if not os.path.lexists(path / "summary.json"):
        raise RunError(
            f"run: {path} is not finished: it has no summary.json yet. Go on with it by run.if_exists=resume."
        )
    read_summary(path)
    faults = list(_task_faults(list(run.tasks), config.k))
    if faults:
        raise ConfigError(faults)
    if config.source == "metrics":
        at, records = "metrics", _records(path)
        if config.branch_at:
            _check_branch(
                open_stored(config.run, config.checkpoint, trust=config.trust).backbone(), run, config.branch_at
            )
    else:
        stored = open_stored(config.run, config.checkpoint, trust=config.trust)
        at, records = stored.checkpoint.path.name, _looked(config, stored)
    found = proposed(averaged(records, list(run.tasks)), config.k, _by(config.measure))
    overrides = read_text(path / "overrides.txt").splitlines()
    if not config.trust:
        overrides = [text for text in overrides if "_target_" not in text]  # what the config has of it is refused above
    dirs = read_environment(path).config_dirs
    question = _Question(config.measure, config.branch_at, run.sharing, overrides, dirs)
    name = _name(config, at, values)
    with answer_folder(place, "affinity", name) as folder:
        return _written(folder, found, question, path / "affinity" / name)


@dataclass(frozen=True)
class _Question:
    """What the answer's files need to know of the question."""

    measure: MeasureSection
    branch_at: int
    sharing: Node
    """What the run shared."""
    overrides: Sequence[str]
    config_dirs: Sequence[str]


def _by(measure: MeasureSection) -> Measure:
    return "cosines" if measure.kind == "cosine" else "affinity"


def _records(folder: Path) -> list[Mapping[str, Any]]:
    return [record.raw for record in read_metrics(folder / "metrics.jsonl")]


def _shown(measure: MeasureSection) -> tuple[Measure, ...]:
    shown: dict[str, tuple[Measure, ...]] = {
        "both": ("affinity", "cosines"),
        "tag": ("affinity",),
        "cosine": ("cosines",),
    }
    return shown[measure.kind]


def _task_faults(tasks: Sequence[str], k: int) -> list[Fault]:
    if len(tasks) == 1:
        return [Fault("run", f"'{tasks[0]}' is its only task: there is nothing to put together")]
    if k > len(tasks):
        return [Fault("k", f"the run's {len(tasks)} tasks make at most {len(tasks)} groups; found {k}")]
    return []


def _check_training(config: AffinityConfig) -> None:
    """Raise `ConfigError` for what would be found out after training only."""
    builders = bind_all(config)
    faults = []
    if not builders.sampler.build(list(config.tasks), [1] * len(config.tasks)).every_task_each_step:
        lacks = f"affinities need every task in each step, which sampler '{config.sampler.name}' does not give"
        faults.append(Fault("sampler", f"{lacks}. Use sampler=all_tasks."))
    for task, weight in config.weights.items():
        if weight == 0:
            faults.append(
                Fault(f"weights.{task}", "a task of weight 0 has no gradient to compare. Give 1, or leave it out")
            )
    if config.optim.freeze == "encoder":
        faults.append(
            Fault(
                "optim.freeze",
                "with a frozen encoder tasks share nothing that is trained: there is no gradient to compare",
            )
        )
    if faults:
        raise ConfigError(faults)
    if config.branch_at:
        _check_branch(builders.backbone.build(), config, config.branch_at)


def _check_branch(backbone: Backbone, config: TrainConfig, branch_at: int) -> None:
    """Raise `ConfigError` if an encoder cannot be split there."""
    first, *others = config.tasks
    try:
        GroupedSharing(backbone, [first, *others], groups=[[first], others], branch_at=branch_at, head_dropout=0.0)
    except ConfigError as error:
        raise ConfigError(f.with_prefix("", instead_of="sharing") for f in error.faults) from error


def _check_same_looks(path: Path, look_ahead: float | None) -> None:
    """Raise `ConfigError` if a run that goes on has been measured in another way."""
    if not path.is_file():
        return
    for record in (record.raw for record in read_metrics(path, may_be_cut=True)):
        if record.get("event") == "gradients" and record.get("look_ahead") != look_ahead:
            has, asked = (
                f"look_ahead={rate}" if rate else "kind=cosine" for rate in (record.get("look_ahead"), look_ahead)
            )
            said = f"{path.parent} was measured with measure.{has}, asked is measure.{asked}"
            raise ConfigError([Fault("measure", f"{said}. Give the same, or another run.name.")])


def _looked(config: AffinityRunConfig, stored: StoredRun) -> list[Mapping[str, Any]]:
    """A record of each look at a checkpoint, without dropout."""
    run = stored.config
    fabric = make_fabric(config.fabric)
    use_threads(config.fabric)
    torch.manual_seed(config.seed)
    backbone = stored.backbone()
    if config.branch_at:
        _check_branch(backbone, run, config.branch_at)
    kinds = {name: one.task.kind for name, one in stored.tasks().items()}
    opened = open_rows(bind_all(dataclasses.replace(run, data=_data(config, run))), backbone, kinds)
    model = stored.model(backbone, fabric)
    placed = [Placed(p, name, model.depth(name)) for name, p in model.named_parameters()]
    freeze(placed, backbone.layers, run.optim.freeze)
    try:
        model.choose(config.measure.params)
    except ValueError as error:
        raise ConfigError([Fault("measure.params", str(error))]) from error
    sampler = AllTasks(list(kinds), opened.sizes_K)
    size = config.batch_size or run.batch.size
    if size < len(kinds):
        raise ConfigError([Fault("batch_size", f"{size} has no room for all {len(kinds)} tasks in each step")])
    passes = pass_limits(run.batch, by_task=False, flat=backbone.flat)
    loader = StepLoader(
        opened.train,
        opened.chosen,
        sampler,
        size=size,
        window=1,
        passes=passes,
        seed=config.seed,
        preparing=opened.objectives,
    )
    lambdas = Lambdas({name: run.weights[name] for name in kinds}, opened.length)
    step = min(stored.checkpoint.progress.step, opened.length.steps - 1)
    lambdas_K = torch.tensor(lambdas(step), dtype=torch.float32)
    log.info("data     %s", data_line(opened.facts()))
    log.info("measure  %s, %d batches of %d rows", stored.identity, config.steps, size)
    looks = _looks(config.measure, tuple(kinds))
    stores: dict[Chosen, RowStore] = {}
    records: list[Mapping[str, Any]] = []
    for step in range(config.steps):
        batch = loader.step(step)
        if looks.due(step):
            records.append(
                looks.look(Passes(model, opened.objectives, batch, fabric, stores), lambdas_K).record(step + 1)
            )
    return records


def _looks(measure: MeasureSection, names_K: tuple[str, ...]) -> Diagnostics:
    chosen = Chosen(measure.params)
    if measure.kind == "cosine":
        return Diagnostics(names_K, measure.every, chosen)
    return LookAheads(names_K, measure.every, chosen, look_ahead=measure.look_ahead)


def _data(config: AffinityRunConfig, run: TrainConfig) -> DataSection:
    """The run's data section with what was given anew; a new root alone means that it is to be looked at."""
    given = {f.name: getattr(config.data, f.name) for f in dataclasses.fields(config.data)}
    given = {name: value for name, value in given.items() if value is not None}
    if "root" in given:
        given.setdefault("source", "auto")
    return dataclasses.replace(run.data, **given)


def _name(config: AffinityRunConfig, at: str, values: Mapping[str, Any]) -> str:
    """Folder below RUN/affinity; the same question has the same name, so asking again replaces the answer."""
    short = json_digest(result_values("affinity_run", values))[:6]
    return config.name or f"{at}-{short}"


def _is_for_groups(override: str) -> bool:
    """Whether an override of the measurement is one of the training of its groups, whose command names folder and sharing itself."""
    key = override.lstrip("+~").partition("=")[0].partition("@")[0]
    return key.split(".")[0] not in {*own_sections("affinity"), "run", "sharing"} and not is_display("train", key)


def _written(folder: Path, found: Proposal, question: _Question, final: Path) -> Affinity:
    """Write the answer, and the config that trains the groups, for a folder that will be called `final`."""
    configs = folder / "configs"
    kept = [text for text in question.overrides if _is_for_groups(text)]
    # One option holds all folders, as MTL_CONFIGS does.
    dirs = os.pathsep.join([str(final / "configs"), *question.config_dirs])
    command = f"mtl train {shlex.join(['--config-dir', dirs, 'sharing=affinity', *kept])}"
    sharing = {
        "defaults": ["groups", "_self_"],
        "groups": [list(group) for group in found.chosen.groups],
        "branch_at": question.branch_at,
        **{name: v for name, v in question.sharing.options.items() if name == "head_dropout"},
    }
    about = f"Groups of tasks by {found.by}, score {found.chosen.score:.6g}"
    text = f"# {command}    {about}\n{yaml.safe_dump(sharing, sort_keys=False, allow_unicode=True, default_flow_style=None)}"
    with explained(folder, ""):
        (configs / "sharing").mkdir(parents=True, exist_ok=True)
        write_text(configs / "sharing" / "affinity.yaml", text)
        measured = dataclasses.asdict(question.measure)
        write_json(folder / "affinity.json", {**proposal_json(found), "measure": measured, "command": command})
    return Affinity(final, found, _shown(question.measure), command)
