"""`mtl ls`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtl_cli.cli.common import ConfigDir, Debug


def _groups() -> list[str]:
    from mtl_cli.config.listing import groups

    return groups([])


def command(
    group: Annotated[
        str | None,
        typer.Argument(help="One group, such as task or sampler; without it, all groups.", autocompletion=_groups),
    ] = None,
    config_dir: ConfigDir = None,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """List what there is: the groups, or the options of one with a line each."""
    from mtl_cli.config.listing import groups, listed
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.errors import ConfigError, did_you_mean

    folders: list[Path] = user_config_dirs(config_dir)
    names = groups(folders)
    if group is None:
        for name in names:
            typer.echo(f"{name:<12} {', '.join(option.name for option in listed(name, folders))}")
        return
    if group not in names:
        raise ConfigError(f"there is no group '{group}'. {did_you_mean(group, names)}")
    options = listed(group, folders)
    width = max(len(option.name) for option in options)
    for option in options:
        typer.echo(f"{option.name:<{width}}  {option.about}".rstrip())
