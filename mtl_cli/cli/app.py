"""The `mtl` command. Heavy imports stand inside functions: `mtl --help` imports neither torch nor hydra."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import mtl_cli
from mtl_cli.cli import affinity, check, doctor, evaluate, ls, offline, runs, train, transfer, zeroshot
from mtl_cli.errors import MtlError
from mtl_cli.redact import forget, redact

app = typer.Typer(
    name="mtl", help=mtl_cli.__doc__, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


def _version(value: bool) -> None:
    if value:
        typer.echo(f"mtl {mtl_cli.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Multi-task learning and zero-shot transfer with language models, from the command line."""


app.command("train")(train.command)
app.command("eval")(evaluate.command)
app.command("zeroshot")(zeroshot.command)
app.command("doctor")(doctor.command)
app.command("transfer")(transfer.command)
app.command("affinity")(affinity.command)
app.command("check")(check.command)
app.command("ls")(ls.command)
app.add_typer(runs.app, name="runs")
app.add_typer(offline.app, name="offline")


def main() -> None:
    """Run the command; turn our errors into prose on standard error and an exit code.

    0 done, 2 asked wrong, 1 failed, 130 interrupted (128 plus the signal's number).
    """
    forget()
    try:
        app()
    except MtlError as error:
        if "--debug" in sys.argv:
            raise
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except SystemExit as error:
        if error.code == 130:  # typer has caught the interrupt, and is silent about it
            sys.stderr.write("mtl: interrupted\n")
        raise
    except BrokenPipeError:
        # The reader of a pipe has gone; nothing is left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _fail(message: str, code: int) -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # else Python says so once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.stderr.write(f"mtl: {redact(message)}\n")
    sys.stderr.flush()
    sys.exit(code)


if __name__ == "__main__":
    main()
