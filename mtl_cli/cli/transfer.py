"""`mtl transfer`."""

from __future__ import annotations

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


def command(
    overrides: Overrides = None,
    cfg: ShowConfig = False,
    config_dir: ConfigDir = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Measure what a mix adds to zero-shot on tasks outside it.

    Trains the mix with one family of tasks left out at a time and asks each run for the labels of that family. The table goes to
    standard error; standard output carries the folder alone, with transfer.json, all runs and all answers. The same command with
    the same run.name goes on where it was stopped.

    Examples:

      mtl transfer data.root=DIR run.name=mix train.steps=400 data.limit=1000

      mtl transfer data.root=DIR leave_out=[topic,sentiment] whole=false
    """
    from mtl_cli.report.console import setup_messages

    setup_messages(quiet)
    words = without_progress(overrides, quiet)
    config = composed("transfer", words, config_dir)
    if cfg:
        print_config(config.values)
        return
    from mtl_cli.config.read import read
    from mtl_cli.config.schema_transfer import TransferConfig

    checked = read(TransferConfig, config.values)
    report_idle("transfer", overrides or [], config.values)
    from mtl_cli.recipes.preflight import preflight

    preflight(checked)
    quiet_libraries()
    from mtl_cli.recipes.studies.transfer import transfer
    from mtl_cli.report.transfer import transfer_table

    folder, table = transfer(checked, asked_of(checked, config, words, config_dir))
    typer.echo(transfer_table(table), err=True)
    typer.echo(folder)
