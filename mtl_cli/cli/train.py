"""`mtl train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mtl_cli.cli.common import (
    ConfigDir,
    Debug,
    Overrides,
    Quiet,
    ShowConfig,
    asked_of,
    composed,
    print_config,
    quiet_libraries,
    report_idle,
    without_progress,
)

if TYPE_CHECKING:
    from mtl_cli.config.compose import Composed
    from mtl_cli.recipes.asked import Asked


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

      mtl train task=glue_mix                          six tasks; without data of your own on the bundled sample

      mtl train task=glue_mix data.root=DIR            on your copy of GLUE

      mtl train task=[rte,mrpc,stsb] weights.rte=2     three tasks, one weighted

      mtl train task=rte -m optim.lr=1e-5,5e-5         a sweep

      mtl train task=[sst2,stsb] seeds=[1,2] baselines=true    two seeds, compared with each task alone
    """
    from mtl_cli.report.console import setup_messages

    setup_messages(quiet)
    words = without_progress(overrides, quiet)
    if multirun:
        from mtl_cli.cli.sweep import run_sweep

        _refuse_series(words)
        run_sweep(words, config_dir, show=cfg)
        return
    config = composed("train", words, config_dir)
    if cfg:
        print_config(config.values)
    else:
        _train(config, words, config_dir)


def _train(config: Composed, overrides: list[str], config_dir: str | None) -> None:
    """One run, or a series of them."""
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.config.read import read
    from mtl_cli.config.schema import TrainConfig

    checked = read(TrainConfig, config.values, None if user_config_dirs(config_dir) else overrides)
    report_idle("train", overrides, config.values)
    from mtl_cli.recipes.preflight import preflight

    preflight(checked)
    quiet_libraries()
    asked = asked_of(checked, config, overrides, config_dir)
    if checked.baselines or checked.seeds is not None:
        _train_series(asked)
        return
    from mtl_cli.recipes.train.run import train

    typer.echo(train(asked))


def _train_series(asked: Asked) -> None:
    """Several seeds, or baselines: the verdict goes to standard error, the folder alone to standard output."""
    from mtl_cli.cli.runs import table
    from mtl_cli.recipes.studies.series import train_series
    from mtl_cli.report.verdicts import verdict_table

    series = train_series(asked)
    typer.echo(verdict_table(series.compared) if series.compared else table(series.folder), err=True)
    typer.echo(series.folder)


def _refuse_series(overrides: list[str]) -> None:
    """Raise `ConfigError` if the points of a sweep would be series."""
    from mtl_cli.errors import ConfigError, Fault

    keys = {text.lstrip("+").partition("=")[0] for text in overrides}
    faults = []
    if "seeds" in keys:
        how = "sweep over seed=1,2,3: `mtl runs compare` puts runs together that differ in the seed alone"
        faults.append(Fault("seeds", f"a point of a sweep is one run, no series. Rather {how}."))
    if "baselines" in keys:
        how = "`mtl train ... baselines=true` with the values of the points you choose"
        faults.append(Fault("baselines", f"a point of a sweep is one run, no series. Sweep first, then {how}."))
    if faults:
        raise ConfigError(faults)
