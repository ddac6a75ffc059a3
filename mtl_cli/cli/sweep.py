"""`mtl train -m`: every combination of values, one after another in this process."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mtl_cli.cli.common import composed, print_config, quiet_libraries

if TYPE_CHECKING:
    from mtl_cli.recipes.asked import Asked


def run_sweep(overrides: list[str], config_dir: str | None, *, show: bool) -> None:
    """Train every point of a sweep in OUTPUTS/<run.name>/<point>; points that are finished are passed over.

    Every point is composed and checked before the first one runs. Standard output carries the sweep's folder alone.

    Raises:
        ConfigError: a point cannot be run.
        RunError: some points failed; the others are done.
    """
    from mtl_cli.config.paths import outputs_dir
    from mtl_cli.config.sweep import points, varied

    asked, name, outputs = _asked(overrides, points(overrides), varied(overrides), config_dir)
    if show:
        for one in asked:
            typer.echo("---")
            print_config({**one.values})
        return
    quiet_libraries()
    from mtl_cli.cli.runs import table
    from mtl_cli.errors import ConfigError, RunError
    from mtl_cli.recipes.sweep import sweep

    folder: Path = outputs_dir(outputs) / name
    if (folder / "config.yaml").is_file():
        raise ConfigError(f"-m: {folder} is a run of its own, not a sweep. Give another run.name.")
    failed = sweep(asked, folder)
    typer.echo(table(folder), err=True)
    typer.echo(folder)
    if failed:
        again = "The others are done; the same command with the same run.name tries these again."
        raise RunError(f"{len(failed)} of {len(asked)} points failed: {', '.join(failed)}. {again}")


def _asked(
    overrides: list[str], listed: list[list[str]], axes: list[str], config_dir: str | None
) -> tuple[list[Asked], str, str | None]:
    """All points with their names, the sweep's name and its outputs folder."""
    from mtl_cli.config.read import read
    from mtl_cli.config.schema import TrainConfig
    from mtl_cli.errors import ConfigError
    from mtl_cli.runs.folder import default_name

    if not axes:
        raise ConfigError("-m: no override has several values, such as weights.rte=0.5,1,2")
    keys = [axis.partition("=")[0].lstrip("+") for axis in axes]
    if any(key.startswith("run.") for key in keys):
        raise ConfigError("-m: the run's own keys cannot be swept; each point gets a name of its own")
    given = [text for text in overrides if text.startswith("run.if_exists=")]
    found: list[Asked] = []
    sweep_name = ""
    outputs: str | None = None
    for point in listed:
        config = composed("train", point, config_dir)
        choice = config.choices.get("task")
        sweep_name = sweep_name or config.values["run"]["name"] or default_name(f"sweep-{_safe(choice or 'tasks')}")
        outputs = config.values["run"]["outputs"]
        config.values["run"]["name"] = f"{sweep_name}/{_point_name(point, keys)}"
        if not given:
            config.values["run"]["if_exists"] = "skip"
        from mtl_cli.recipes.asked import Asked

        found.append(Asked(read(TrainConfig, config.values), config.values, point, choice))
    return found, sweep_name, outputs


def _point_name(point: list[str], keys: list[str]) -> str:
    """The varied values, such as `weights.rte=0.5,optim.lr=1e-05`."""
    chosen = [text.lstrip("+") for text in point if text.partition("=")[0].lstrip("+") in keys]
    text = ",".join(chosen)
    name = _safe(text)[:120]
    # Values that no folder can be named after, or that are too long, keep their own name by a digest.
    return name if name == text else f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _safe(text: str) -> str:
    return re.sub(r"[^\w=.,+-]+", "_", text).strip("_")
