"""`mtl train -m`: every combination of values, or a search; each point is a run in OUTPUTS/<run.name>/<point>."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mtl_cli.cli.common import composed, print_config, quiet_libraries, report_idle

if TYPE_CHECKING:
    from mtl_cli.recipes.asked import Asked


@dataclass(frozen=True)
class _Points:
    """The points of a sweep, or one stand-in for those of a search."""

    asked: list[Asked]
    name: str
    outputs: str | None


def run_sweep(overrides: list[str], config_dir: str | None, *, show: bool) -> None:
    """Train every point of a sweep in OUTPUTS/<run.name>/<point>; points that are finished are passed over.

    Every point is composed and checked before the first one runs. Standard output carries the sweep's folder alone.

    Raises:
        ConfigError: a point cannot be run.
        RunError: some points failed; the others are done.
    """
    from mtl_cli.config.sweep import first, points, varied

    axes = varied(overrides)
    _check_keys(axes)
    values = composed("train", first(overrides), config_dir).values
    report_idle("train", overrides, values, several=True)
    section = values["search"]
    if section["trials"] is not None:
        _run_search(overrides, axes, section["scale"], config_dir, show=show)
        return
    found = _asked(overrides, points(overrides), axes, config_dir)
    if show:
        _print(found.asked)
        return
    _preflight(found.asked)
    quiet_libraries()
    from mtl_cli.recipes.studies.sweep import sweep

    folder = _folder(found)
    _report(sweep(found.asked, folder), len(found.asked), folder, "tries these again")


def _run_search(overrides: list[str], varied: list[str], scale: str, config_dir: str | None, *, show: bool) -> None:
    from mtl_cli.config import sweep as grammar

    fixed = [text for text in overrides if text not in varied]
    axes = grammar.axes(varied, scale)
    whole = _asked(overrides, [[*fixed, *(axis.probe(0) for axis in axes)]], varied, config_dir)
    if show:
        _print(whole.asked)
        return
    _preflight(whole.asked)
    quiet_libraries()
    from mtl_cli.recipes.studies.search import Space, search

    def point(chosen: Sequence[str], name: str) -> Asked:
        named = [text for text in fixed if not text.lstrip("+").startswith("run.name=")]
        return _named(_asked(named, [[*named, *chosen]], [], config_dir).asked[0], f"{whole.name}/{name}")

    folder = _folder(whole)
    failed = search(Space(axes, point), folder)
    _report(
        failed, whole.asked[0].config.search.trials or 0, folder, "goes on, with a larger search.trials if it is given"
    )


def _preflight(points: Sequence[Asked]) -> None:
    """Look at what the points need; those that read the same data by the same method once."""
    from mtl_cli.recipes.preflight import preflight

    distinct = {repr((p.config.tasks, p.config.data, p.config.weighting.name)): p.config for p in points}
    for config in distinct.values():
        preflight(config, sweep=True)


def _named(asked: Asked, name: str) -> Asked:
    from mtl_cli.config.read import read
    from mtl_cli.config.schema import TrainConfig
    from mtl_cli.recipes.asked import Asked

    values = {**asked.values, "run": {**asked.values["run"], "name": name}}
    return Asked(read(TrainConfig, values), values, asked.overrides, asked.choice, asked.config_dirs)


def _print(listed: list[Asked]) -> None:
    for one in listed:
        typer.echo("---")
        print_config({**one.values})


def _folder(found: _Points) -> Path:
    from mtl_cli.config.paths import outputs_dir
    from mtl_cli.errors import ConfigError

    folder: Path = outputs_dir(found.outputs) / found.name
    if (folder / "config.yaml").is_file():
        raise ConfigError(f"-m: {folder} is a run of its own, not a sweep. Give another run.name.")
    return folder


def _report(failed: list[str], total: int, folder: Path, again: str) -> None:
    from mtl_cli.cli.runs import table
    from mtl_cli.errors import RunError

    typer.echo(table(folder, pareto=True), err=True)
    typer.echo(folder)
    if failed:
        how = f"The others are done; the same command with the same run.name {again}."
        raise RunError(f"{len(failed)} of {total} points failed: {', '.join(failed)}. {how}")


def _check_keys(axes: list[str]) -> None:
    from mtl_cli.errors import ConfigError

    if not axes:
        raise ConfigError("-m: no override has several values, such as weights.rte=0.5,1,2")
    keys = [axis.partition("=")[0].lstrip("+") for axis in axes]
    if any(key.startswith("run.") for key in keys):
        raise ConfigError("-m: the run's own keys cannot be swept; each point gets a name of its own")
    if any(key.partition(".")[0] in ("launcher", "search") for key in keys):
        raise ConfigError("-m: launcher and search hold for the whole sweep; for a list of objectives write [a,b]")


def _asked(overrides: list[str], listed: list[list[str]], axes: list[str], config_dir: str | None) -> _Points:
    """All points with their names, the sweep's name and its outputs folder."""
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.config.read import read
    from mtl_cli.config.schema import TrainConfig
    from mtl_cli.recipes.asked import Asked
    from mtl_cli.runs.folder import default_name

    keys = [axis.partition("=")[0].lstrip("+") for axis in axes]
    folders = [str(folder) for folder in user_config_dirs(config_dir)]
    given = [text for text in overrides if text.startswith("run.if_exists=")]
    found: list[Asked] = []
    sweep_name = ""
    outputs: str | None = None
    for point in listed:
        config = composed("train", point, config_dir)
        choice = config.choices.get("task")
        sweep_name = sweep_name or config.values["run"]["name"] or default_name(f"sweep-{_safe(choice or 'tasks')}")
        outputs = config.values["run"]["outputs"]
        config.values["run"]["name"] = f"{sweep_name}/{point_name(point, keys)}"
        if not given:
            config.values["run"]["if_exists"] = "skip"
        found.append(Asked(read(TrainConfig, config.values), config.values, point, choice, folders))
    return _Points(found, sweep_name, outputs)


def point_name(point: list[str], keys: list[str]) -> str:
    """The varied values, such as `weights.rte=0.5,optim.lr=1e-05`."""
    chosen = [text.lstrip("+") for text in point if text.partition("=")[0].lstrip("+") in keys]
    text = ",".join(chosen) or "trial"
    name = _safe(text)[:120]
    # Values that no folder can be named after, or that are too long, keep their own name by a digest.
    return name if name == text else f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _safe(text: str) -> str:
    return re.sub(r"[^\w=.,+-]+", "_", text).strip("_")
