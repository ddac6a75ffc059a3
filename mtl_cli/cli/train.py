"""`mtl train`."""

from __future__ import annotations

from typing import Annotated

import typer

from mtl_cli.cli.common import ConfigDir, Debug, Overrides, Quiet, ShowConfig, composed, print_config, quiet_libraries


def command(
    overrides: Overrides = None,
    multirun: Annotated[
        bool, typer.Option("--multirun", "-m", help="Run every combination of values: weights.rte=0.5,1,2.")
    ] = False,
    cfg: ShowConfig = False,
    config_dir: ConfigDir = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Train one model on one or several tasks.

    Standard output carries the run folder alone: run=$(mtl train task=glue_mix).

    Examples:

      mtl train                                     six tasks on the bundled sample

      mtl train task=glue_mix data.root=DIR         on your copy of GLUE

      mtl train task=[rte,mrpc] weights.rte=2       two tasks, one weighted

      mtl train task=rte -m optim.lr=1e-5,5e-5      a sweep
    """
    from mtl_cli.report.console import setup_messages

    setup_messages(quiet)
    if quiet:
        overrides = [
            "train.progress=none",
            *(overrides or []),
        ]  # first, so that the user's own word comes later and holds
    if multirun:
        from mtl_cli.cli.sweep import run_sweep

        run_sweep(overrides or [], config_dir, show=cfg)
        return
    config = composed("train", overrides, config_dir)
    if cfg:
        print_config(config.values)
        return
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.config.read import read
    from mtl_cli.config.schema import TrainConfig

    checked = read(TrainConfig, config.values)
    quiet_libraries()
    from mtl_cli.recipes.asked import Asked
    from mtl_cli.recipes.train import train

    folders = [str(folder) for folder in user_config_dirs(config_dir)]
    typer.echo(train(Asked(checked, config.values, overrides or [], config.choices.get("task"), folders)))
