"""`mtl check`."""

from __future__ import annotations

import typer

from mtl_cli.cli.common import ConfigDir, Debug, Overrides, composed, quiet_libraries


def command(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Check a training config without training: builders, columns, labels, and one batch a task.

    Takes the overrides of `mtl train`; prints what was found of each task. With step=N it looks into that step of the run: its
    rows, their lengths and losses, and the first layer whose output is not finite.
    """
    from mtl_cli.report.console import setup_messages

    setup_messages()
    config = composed("check", overrides, config_dir)
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.config.read import read
    from mtl_cli.config.schema_check import CheckConfig

    checked = read(CheckConfig, config.values, None if user_config_dirs(config_dir) else overrides or [])
    from mtl_cli.recipes.preflight import preflight

    preflight(checked, goes_on=True)
    quiet_libraries()
    from mtl_cli.recipes.check import check

    typer.echo(check(checked))
