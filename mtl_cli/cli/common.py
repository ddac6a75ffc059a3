"""Arguments that several commands share, and how they become a config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtl_cli.cli.completion import complete

if TYPE_CHECKING:
    from mtl_cli.config.compose import Composed
    from mtl_cli.recipes.asked import Asked

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Overrides in Hydra's grammar: task=rte, weights.rte=2, +key=v, ~key.",
        autocompletion=complete,
    ),
]
ConfigDir = Annotated[
    str | None,
    typer.Option(
        "--config-dir", metavar="DIR", help="Folder with YAML files of your own: DIR/task/mine.yaml is task=mine."
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback instead of a message when something fails.")]
ShowConfig = Annotated[bool, typer.Option("--cfg", help="Print the composed config and stop.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Let the config of a run folder run the code that it names, and read the environment."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Warnings and results only.")]


def composed(primary: str, overrides: list[str] | None, config_dir: str | None) -> Composed:
    """Compose a primary config."""
    from mtl_cli.config.compose import compose
    from mtl_cli.config.paths import user_config_dirs

    return compose(primary, overrides or [], user_config_dirs(config_dir))


def without_progress(overrides: list[str] | None, quiet: bool) -> list[str]:
    """The overrides, with no progress shown if `quiet`: the key comes first, so that the user's own comes later and holds."""
    return ["train.progress=none"] * quiet + (overrides or [])


def asked_of(config: Any, composed: Composed, overrides: list[str], config_dir: str | None) -> Asked:
    """What was asked of a run, with the config as it was read."""
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.recipes.asked import Asked

    folders = [str(folder) for folder in user_config_dirs(config_dir)]
    return Asked(config, composed.values, overrides, composed.choices.get("task"), folders)


def report_idle(primary: str, overrides: list[str], values: dict[str, Any], *, several: bool = False) -> None:
    """Warn of keys that the user gives and that change nothing in this call.

    Raises:
        ConfigError: some of them are surely mistakes.
    """
    import logging

    from mtl_cli.config.keys import Call, given_keys, idle_faults, idle_keys, idle_warnings
    from mtl_cli.errors import ConfigError

    found = list(idle_keys(primary, Call(values, given_keys(overrides), several)))
    if faults := idle_faults(found):
        raise ConfigError(faults)
    for line in idle_warnings(found):
        logging.getLogger("mtl_cli").warning("%s", line)


def print_config(values: dict[str, Any]) -> None:
    """Write a config to standard output as YAML; what came from the environment as it was written."""
    import yaml

    from mtl_cli.redact import as_written, redact

    typer.echo(redact(yaml.safe_dump(as_written(values), sort_keys=False, allow_unicode=True)), nl=False)


def quiet_libraries() -> None:
    """Before a library is imported: none of its advice or bars on our output, and threads that leave room for others."""
    import os
    import warnings

    from mtl_cli.threads import limit_spinning

    limit_spinning()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore")
