"""`mtl affinity`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from mtl_cli.cli.common import (
    ConfigDir,
    Debug,
    Overrides,
    Quiet,
    ShowConfig,
    Trust,
    asked_of,
    composed,
    print_config,
    quiet_libraries,
    report_idle,
    without_progress,
)
from mtl_cli.cli.completion import primary_of

if TYPE_CHECKING:
    from mtl_cli.config.compose import Composed
    from mtl_cli.recipes.studies.affinity import Affinity


def _trust(values: dict[str, Any], primary: str) -> None:
    """Note that the run is trusted. Raises `ConfigError` where no run is given."""
    if primary == "affinity":
        from mtl_cli.errors import ConfigError

        raise ConfigError("--trust is for a run folder: give run=FOLDER")
    values["trust"] = True


def command(
    overrides: Overrides = None,
    trust: Trust = False,
    cfg: ShowConfig = False,
    config_dir: ConfigDir = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Measure which tasks help one another, and propose groups to train.

    Trains a short run, or takes a finished one with run=FOLDER. Matrices, groups and the command that trains them go to
    standard error; standard output carries the folder alone, with affinity.json and configs/sharing/affinity.yaml.

    Examples:

      mtl affinity task=[rte,mrpc,sst2] k=2               a short run of its own

      mtl affinity train.steps=300 measure.kind=cosine    cheaper: cosines of the gradients alone

      mtl affinity run=outputs/X                          at a finished run's best checkpoint

      mtl affinity run=outputs/X source=metrics measure.kind=cosine    what training wrote down; nothing is computed
    """
    from mtl_cli.report.console import setup_messages

    setup_messages(quiet)
    primary = primary_of("affinity", overrides or [])
    config = composed(primary, without_progress(overrides, quiet and primary == "affinity"), config_dir)
    if trust:
        _trust(config.values, primary)
    if cfg:
        print_config(config.values)
        return
    report_idle(primary, overrides or [], config.values)
    found = _of_training(config, overrides or [], config_dir) if primary == "affinity" else _of_run(config)
    from mtl_cli.report.affinity import affinity_tables

    typer.echo(f"{affinity_tables(found.proposal, found.shown)}\nto train them: {found.command}", err=True)
    typer.echo(found.folder)


def _of_training(config: Composed, overrides: list[str], config_dir: str | None) -> Affinity:
    """Train for a while, and measure."""
    from mtl_cli.config.read import read
    from mtl_cli.config.schema_affinity import AffinityConfig

    checked = read(AffinityConfig, config.values)
    from mtl_cli.recipes.preflight import preflight

    preflight(checked)
    quiet_libraries()
    from mtl_cli.recipes.studies.affinity import affinity_of_training

    return affinity_of_training(checked, asked_of(checked, config, overrides, config_dir))


def _of_run(config: Composed) -> Affinity:
    """Measure at a finished run's checkpoint."""
    from mtl_cli.config.read import read
    from mtl_cli.config.schema_affinity import AffinityRunConfig

    checked = read(AffinityRunConfig, config.values)
    from mtl_cli.assemble.trained import trained_config

    trained_config(checked.run)
    quiet_libraries()
    from mtl_cli.recipes.studies.affinity import affinity_of_run

    return affinity_of_run(checked, config.values)
