"""`mtl eval`."""

from __future__ import annotations

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


def command(
    overrides: Overrides = None,
    trust: Trust = False,
    cfg: ShowConfig = False,
    config_dir: ConfigDir = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Score a run's checkpoint on its tasks, or on other data for its heads.

    Standard output carries the folder with scores and predictions alone.

    Examples:

      mtl eval run=outputs/X

      mtl eval run=outputs/X split=test checkpoint=last data.root=DIR

      mtl eval run=outputs/X task=wnli 'heads={wnli: rte}' data.root=DIR    data of another task for the head of rte

      mtl eval run=outputs/X 'files={rte: my.jsonl}'                 a file of your own; without labels, predictions alone
    """
    from mtl_cli.report.console import setup_messages

    setup_messages(quiet)
    config = composed("eval", overrides, config_dir)
    config.values["trust"] |= trust
    if cfg:
        print_config(config.values)
        return
    from mtl_cli.config.read import read
    from mtl_cli.config.schema import EvalConfig

    checked = read(EvalConfig, config.values)
    report_idle("eval", overrides or [], config.values)
    from mtl_cli.recipes.preflight import preflight_eval

    preflight_eval(checked)
    quiet_libraries()
    from mtl_cli.recipes.evaluate import evaluate

    typer.echo(evaluate(checked, config.values))
