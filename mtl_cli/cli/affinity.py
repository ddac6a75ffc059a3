"""`mtl affinity`."""

from __future__ import annotations

from typing import Any

import typer

from mtl_cli.cli.common import (
    ConfigDir,
    Debug,
    Overrides,
    Quiet,
    ShowConfig,
    Trust,
    composed,
    print_config,
    quiet_libraries,
    report_idle,
)
from mtl_cli.cli.completion import primary_of


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
    words = overrides or []
    primary = primary_of("affinity", words)
    if quiet and primary == "affinity":
        words = ["train.progress=none", *words]  # first, so that the user's own word comes later and holds
    config = composed(primary, words, config_dir)
    if trust:
        _trust(config.values, primary)
    if cfg:
        print_config(config.values)
        return
    report_idle(primary, overrides or [], config.values)
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.config.read import read
    from mtl_cli.config.schema_affinity import AffinityConfig, AffinityRunConfig

    if primary == "affinity":
        checked = read(AffinityConfig, config.values)
        from mtl_cli.recipes.preflight import preflight

        preflight(checked)
        quiet_libraries()
        from mtl_cli.recipes.affinity import affinity_of_training
        from mtl_cli.recipes.asked import Asked

        folders = [str(folder) for folder in user_config_dirs(config_dir)]
        found = affinity_of_training(
            checked, Asked(checked, config.values, overrides or [], config.choices.get("task"), folders)
        )
    else:
        of_run = read(AffinityRunConfig, config.values)
        from mtl_cli.assemble.trained import trained_config

        trained_config(of_run.run)
        quiet_libraries()
        from mtl_cli.recipes.affinity import affinity_of_run

        found = affinity_of_run(of_run, config.values)
    from mtl_cli.report.affinity import affinity_tables

    typer.echo(f"{affinity_tables(found.proposal, found.shown)}\nto train them: {found.command}", err=True)
    typer.echo(found.folder)
