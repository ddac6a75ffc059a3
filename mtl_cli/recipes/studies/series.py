"""`mtl train seeds=[...] baselines=true`: one run for each seed, the single-task runs beside them, the verdict."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import mtl_cli
from mtl_cli.analysis.paired import Comparison, Resampling
from mtl_cli.analysis.seeds import BASELINES
from mtl_cli.assemble.bound import bind_all
from mtl_cli.assemble.fabric import make_fabric, precision_of
from mtl_cli.assemble.opened import open_rows
from mtl_cli.assemble.planned import plan_steps
from mtl_cli.config.paths import outputs_dir
from mtl_cli.config.read import read
from mtl_cli.config.schema import TrainConfig
from mtl_cli.errors import ConfigError, Fault, Interrupted
from mtl_cli.recipes.asked import Asked
from mtl_cli.recipes.studies.baselines import Baseline, Facts, baselines_of
from mtl_cli.recipes.studies.compare import compare_runs
from mtl_cli.recipes.train.run import train
from mtl_cli.report.verdicts import verdict_json
from mtl_cli.runs.clean import clean
from mtl_cli.runs.files import explained, write_json
from mtl_cli.runs.folder import default_name
from mtl_cli.runs.place import Place

log = logging.getLogger(__name__)

_ROUNDS = 1000
"""Resamples of the verdict if the config asks for no intervals."""


@dataclass(frozen=True)
class Series:
    """What a series left behind."""

    folder: Path
    """Of the run if there is one seed, else of the runs `seed_<n>`."""
    compared: tuple[Comparison, ...]
    """Empty without baselines."""


def train_series(asked: Asked) -> Series:
    """Train a run for each seed, then its baselines; what is finished is not trained again.

    The runs are OUTPUTS/<run.name>/seed_<n>, or OUTPUTS/<run.name> if there is one seed; with baselines, the folder gets a
    compare.json with runs, baselines and verdicts.

    Raises:
        ConfigError, DataError: something that was asked cannot be run; nothing was trained.
        RunError: a run failed; those before it are kept.
        Interrupted: told to stop; the current run has saved its state.
    """
    config = asked.config
    name = config.run.name or default_name(asked.what)
    folder = outputs_dir(config.run.outputs) / name
    runs = _runs(asked, name)
    _check_folder(config, folder, len(runs))
    planned = _checked(asked, runs)
    finished = [one.name for one in planned if _finished(config, one.name)]
    if finished:
        log.info("reuse    %d of %d baselines are trained: %s", len(finished), len(planned), ", ".join(finished))
    jobs = [(f"run      {{}} of {len(runs)}: {run.config.run.name}", run) for run in runs]
    waiting = [one for one in planned if one.name not in finished]
    jobs += [
        (f"baseline {{}} of {len(waiting)}: {one.task}, seed {one.seed}", _asked(asked, one.values)) for one in waiting
    ]  # fmt: skip
    _train_all(jobs, len(runs), asked, folder)
    for one in finished:
        clean(outputs_dir(config.run.outputs) / one, False, log.info)
    return Series(folder, _verdict(config, folder, runs, planned) if planned else ())


def _runs(asked: Asked, name: str) -> list[Asked]:
    seeds = asked.config.seeds or [asked.config.seed]
    given = any(text.lstrip("+").startswith("run.if_exists=") for text in asked.overrides)
    found = []
    for seed in seeds:
        values = copy.deepcopy(dict(asked.values))
        values |= {"seed": seed, "seeds": None, "baselines": False}
        values["run"]["name"] = name if len(seeds) == 1 else f"{name}/seed_{seed}"
        if not given:
            values["run"]["if_exists"] = "skip"
        found.append(_asked(asked, values))
    return found


def _asked(asked: Asked, values: Mapping[str, Any]) -> Asked:
    return Asked(read(TrainConfig, values), values, asked.overrides, asked.choice, asked.config_dirs)


def _finished(config: TrainConfig, name: str) -> bool:
    return (outputs_dir(config.run.outputs) / name / "summary.json").is_file()


def _check_folder(config: TrainConfig, folder: Path, runs: int) -> None:
    if runs > 1 and (folder / "config.yaml").is_file():
        raise ConfigError(
            [Fault("run.name", f"{folder} is a run of its own, no series over seeds. Give another name.")]
        )
    if config.baselines and config.run.name and Path(config.run.name).parts[0] == BASELINES:
        raise ConfigError(
            [Fault("run.name", f"'{BASELINES}' is the folder of the single-task runs. Give another name.")]
        )


def _checked(asked: Asked, runs: Sequence[Asked]) -> list[Baseline]:
    """Look at builders and rows before anything is trained; the baselines of all runs, none if they are not asked for."""
    config = asked.config
    bound = bind_all(config)
    fabric = make_fabric(config.fabric)
    torch.manual_seed(config.seed)
    opened = open_rows(bound, bound.backbone.build())
    plan_steps(opened)
    if not config.baselines:
        return []
    fingerprints = {
        f"{name}.{one.origin.set_name}": one.meta.fingerprint
        for name, rows in opened.rows.items() for one in (rows.train, *rows.validation)
    }  # fmt: skip
    counts = {name: len(rows.chosen_M) for name, rows in opened.rows.items()}
    facts = Facts(counts, fingerprints, opened.backbone.identity, precision_of(fabric), mtl_cli.__version__)
    planned = [one for run in runs for one in baselines_of(run.values, run.config, facts)]
    for one in planned:
        alone = read(TrainConfig, one.values)
        bind_all(alone).schedule.build(alone.train.steps)
    return planned


def _train_all(jobs: Sequence[tuple[str, Asked]], runs: int, asked: Asked, folder: Path) -> None:
    """Train one after another; an interruption says how to go on with all of them."""
    name = str(folder.relative_to(outputs_dir(asked.config.run.outputs)))
    place: Place | None = None
    for i, (line, job) in enumerate(jobs):
        if place is not None:
            place.check()
        log.info(line.format(i + 1 if i < runs else i + 1 - runs))
        try:
            train(job)
        except Interrupted as error:
            raise _interrupted(error.what, error.signal_number, len(jobs) - i - 1, asked.resume_command(name)) from None
        except KeyboardInterrupt:
            raise _interrupted("stopped", 2, len(jobs) - i - 1, asked.resume_command(name)) from None
        if i + 1 < len(jobs) or place is not None:
            place = place or Place.of(folder)


def _interrupted(what: str, signal_number: int, left: int, command: str) -> Interrupted:
    others = f"{left} more {'run is' if left == 1 else 'runs are'} left" if left else ""
    return Interrupted(what, signal_number, others, command)


def _verdict(
    config: TrainConfig, folder: Path, runs: Sequence[Asked], planned: Sequence[Baseline]
) -> tuple[Comparison, ...]:
    root = outputs_dir(config.run.outputs)
    folders = [root / str(run.config.run.name) for run in runs]
    against: dict[str, list[Path]] = {}
    for one in planned:
        against.setdefault(one.task, []).append(root / one.name)
    how = Resampling(config.eval.bootstrap or _ROUNDS, 0)
    found = compare_runs(folders, [path for paths in against.values() for path in paths], how, trust=True)
    with explained(folder):
        record = {
            "runs": [os.path.relpath(path, folder) for path in folders],
            "baselines": {task: [os.path.relpath(path, folder) for path in paths] for task, paths in against.items()},
            "budget": config.baseline_budget,
            "compared": verdict_json(found),
        }
        write_json(folder / "compare.json", record)
    return tuple(found)
