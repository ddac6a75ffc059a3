"""The single-task runs that a run is compared with: their configs, and their folders by what decides their result."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtl_cli.analysis.seeds import BASELINES, FinishedRun, Group, open_run_folder
from mtl_cli.assemble.length import run_length
from mtl_cli.config.compose import compose
from mtl_cli.config.convert import bind, convert_or_raise
from mtl_cli.config.keys import result_values
from mtl_cli.config.paths import outputs_dir
from mtl_cli.config.schema import TrainConfig
from mtl_cli.data.sampler.base import Length, Sampler
from mtl_cli.digest import json_digest
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.runs.formats import UnreadableError, read_environment, read_series

log = logging.getLogger(__name__)

_LOOKS = 1000
"""Steps at which changing chances are looked at, at most."""


@dataclass(frozen=True)
class Facts:
    """What of a run is known only with its rows and its encoder."""

    rows: Mapping[str, int]
    """Training rows by task."""
    fingerprints: Mapping[str, str]
    """Content of the data by `task.set`."""
    backbone: str
    """Identity of the encoder."""
    precision: str
    version: str
    """Of mtl."""


@dataclass(frozen=True)
class Baseline:
    """One task alone, with one seed."""

    task: str
    seed: int
    name: str
    """Below the outputs folder: `baselines/<task>-<digest>`."""
    values: Mapping[str, Any]
    """Its whole config."""


def baselines_of(values: Mapping[str, Any], config: TrainConfig, facts: Facts) -> list[Baseline]:
    """The single-task runs of a multi-task run with the same seed, one a task.

    Each is the run's config with one task, weight 1, all rows of a step from it, one encoder and one head. The budget is
    the run's steps, or, for `baseline_budget=rows`, max(1, round(steps * p_i)) of them with p_i the task's mean share of
    the rows over the run's steps, as expected before it. Both are scored equally often. The folder is named by a digest of
    all that decides the result, so runs of other mixtures find the same one.

    Args:
        values: the run's config in plain values.
        config: the same, checked.
        facts: of the run.

    Raises:
        ConfigError: the share of rows is asked for and not known before the run.
    """
    plain = compose("train", ["sampler=uniform", "weighting=static", "sharing=hard"]).values
    length = run_length(config, sum(facts.rows.values()))
    shares = dict.fromkeys(config.tasks, 1.0) if config.baseline_budget == "steps" else _shares(config, facts, length)
    every = {"epoch": length.epoch_steps, "end": length.steps}.get(str(config.eval.every), config.eval.every)
    found = []
    for task in (name for name, one in config.tasks.items() if one.metrics):
        own = _alone(values, plain, task)
        own["train"] |= {"steps": max(1, round(length.steps * shares[task])), "epochs": None}
        own["eval"]["every"] = max(1, round(int(every) * shares[task]))
        name = f"{BASELINES}/{task}-{_digest(own, facts, task)}"
        own["run"] |= {"name": name, "if_exists": "resume"}
        found.append(Baseline(task, int(own["seed"]), name, own))
    return found


def _alone(values: Mapping[str, Any], plain: Mapping[str, Any], task: str) -> dict[str, Any]:
    """A run's config with one task, and without what only several tasks need."""
    own: dict[str, Any] = copy.deepcopy(dict(values))
    sharing = plain["sharing"]
    own |= {
        "seeds": None, "baselines": False, "tasks": {task: own["tasks"][task]}, "weights": {task: 1.0},
        "sampler": plain["sampler"], "weighting": plain["weighting"],
        # Options that both have, such as the heads' dropout, are the run's.
        "sharing": {**sharing, **{k: v for k, v in own["sharing"].items() if k in sharing and k != "name"}},
    }  # fmt: skip
    select = own["eval"]["select"]
    own["eval"]["select"] = select if select.partition("/")[0] == task else task
    return copy.deepcopy(own)


def _shares(config: TrainConfig, facts: Facts, length: Length) -> dict[str, float]:
    """Mean chance of each task over the steps."""
    faults: list[Fault] = []
    bound = bind("sampler", config.sampler, faults, "sampler")
    if bound is None:
        raise ConfigError(faults)
    sampler: Sampler = bound.build(list(config.tasks), [facts.rows[task] for task in config.tasks])
    if sampler.needs_classes or sampler.needs_rising_scores:
        why = f"sampler '{config.sampler.name}' goes by the scores, so the rows of a task are not known before the run"
        raise ConfigError([Fault("baseline_budget", f"{why}. Use baseline_budget=steps.")])
    sampler.begin(length)
    steps = np.unique(np.linspace(0, length.steps - 1, min(length.steps, _LOOKS)).astype(int))
    means_K = np.mean([sampler.chances_K(int(step)) for step in steps], axis=0)
    return dict(zip(config.tasks, means_K.tolist(), strict=True))


def _digest(values: Mapping[str, Any], facts: Facts, task: str) -> str:
    config = result_values("train", values)
    config["tasks"][task].pop("source", None)  # the rows themselves count
    config.pop("fabric", None)  # the precision that the device makes of it counts
    deciding = {
        "config": config,
        "data": {key: value for key, value in facts.fingerprints.items() if key.partition(".")[0] == task},
        "backbone": facts.backbone,
        "precision": facts.precision,
        "mtl": facts.version,
    }
    return json_digest(deciding)[:10]


def find_baselines(group: Group) -> dict[str, list[FinishedRun]]:
    """Finished baselines of a group by task: those that its compare.json names, else those that the outputs folder holds."""
    found: dict[str, dict[Path, FinishedRun]] = {}
    for run in group.runs:
        for task, path in _recorded(run) or _matching(run):
            opened = open_run_folder(path)
            if opened is not None and task in opened.tasks:
                found.setdefault(task, {})[path.resolve()] = opened
    return {task: list(runs.values()) for task, runs in found.items()}


def _recorded(run: FinishedRun) -> list[tuple[str, Path]]:
    """Baselines as compare.json beside or above the run has them; none if one of them is gone."""
    for folder in (run.path, run.path.parent):
        if not os.path.lexists(folder / "compare.json"):
            continue
        try:
            record = read_series(folder)
        except UnreadableError as error:
            log.warning("%s Its baselines are looked for in the outputs folder.", error)
            continue
        if not any((folder / name).resolve() == run.path.resolve() for name in record.runs):
            continue
        listed = [(task, folder / name) for task, names in record.baselines.items() for name in names]
        return listed if all((path / "summary.json").is_file() for _, path in listed) else []
    return []


def _matching(run: FinishedRun) -> list[tuple[str, Path]]:
    """Folders that training the run's baselines now would take."""
    try:
        config = convert_or_raise(TrainConfig, run.config)
        env = read_environment(run.path)
        facts = Facts(
            {task: run.summary.training_rows(task) for task in config.tasks},
            {key: record.fingerprint for key, record in env.data.items()},
            str(env.backbone), str(env.precision), str(env.mtl),
        )  # fmt: skip
        wanted = baselines_of(run.config, config, facts)
    except (ConfigError, ValueError, KeyError, TypeError):
        return []  # made by another version
    depth = len(Path(config.run.name).parts) if config.run.name else 1
    roots = dict.fromkeys([run.path.resolve().parents[depth - 1], outputs_dir(config.run.outputs).resolve()])
    found = []
    for one in wanted:
        there = [root / one.name for root in roots if (root / one.name / "summary.json").is_file()]
        found += [(one.task, _near(path)) for path in there[:1]]
    return found


def _near(path: Path) -> Path:
    """A path below the working folder as people write it."""
    here = Path.cwd().resolve()
    return path.relative_to(here) if path.is_relative_to(here) else path
