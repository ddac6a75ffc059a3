"""The `mtl` command. Heavy imports stand inside functions: `mtl --help` imports neither torch nor hydra."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

import mtl_cli
from mtl_cli.cli import affinity, check, doctor, evaluate, explain, ls, offline, runs, train, transfer, zeroshot
from mtl_cli.cli.former import KeysForFlags
from mtl_cli.cli.streams import guarded_streams
from mtl_cli.cli.topics import TOPIC_OF_COMMAND
from mtl_cli.errors import MtlError, cut
from mtl_cli.redact import forget, redact

EXIT_CODES = """Exit codes: 0 done; 1 a run failed, or standard output cannot be written; 2 usage, configuration or data;
130 Ctrl-C (128 plus the signal's number); 141 the reader of standard output has closed it (| head); 143 SIGTERM.

Read on: mtl help lists the topics, such as train, zeroshot and weighting."""

app = typer.Typer(
    name="mtl", help=mtl_cli.__doc__, epilog=EXIT_CODES, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
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


def _more(name: str) -> str:
    """The last line of a command's `--help`."""
    return f"Read on: mtl help {TOPIC_OF_COMMAND[name]}"


_COMMANDS: dict[str, Callable[..., None]] = {
    "train": train.command, "eval": evaluate.command, "zeroshot": zeroshot.command, "doctor": doctor.command,
    "transfer": transfer.command, "affinity": affinity.command, "check": check.command, "ls": ls.command,
    "help": explain.command,
}  # fmt: skip
for _name, _command in _COMMANDS.items():
    app.command(_name, cls=KeysForFlags if _name in ("zeroshot", "doctor") else None, epilog=_more(_name))(_command)
app.add_typer(runs.app, name="runs", epilog=_more("runs"))
app.add_typer(offline.app, name="offline", epilog=_more("offline"))


def main() -> None:
    """Run the command; turn our errors into prose on standard error and an exit code: see `EXIT_CODES`."""
    forget()
    try:
        with guarded_streams():
            app()
    except MtlError as error:
        if "--debug" in sys.argv:
            raise
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except SystemExit as error:
        if error.code == 130:  # typer has caught the interrupt, and is silent about it
            _fail("interrupted", 130)
        raise
    except BrokenPipeError:
        sys.exit(141)  # as for any program that a signal tells so; nothing is left to say to a reader that has gone
    except (OSError, RuntimeError) as error:
        refused = _refused_path(error)
        if refused is None or "--debug" in sys.argv:
            raise
        _fail(*refused)


_NO_HOME = ("Could not determine home directory.",)
"""What `Path.expanduser` raises with, as a plain RuntimeError."""
_WRONG_NAMES = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EINVAL)
"""The system refuses the name itself, so another one is needed."""


def _refused_path(error: OSError | RuntimeError) -> tuple[str, int] | None:
    """What the system said of a path that no reader or writer of ours explains better, and the exit code; None for anything else."""
    if error.args == _NO_HOME:
        return "a path begins with '~' and a name that is no user of this machine. Write the folder in full.", 2
    if not isinstance(error, OSError) or not isinstance(error.filename, str | bytes):
        return None
    name, reason = cut(os.fsdecode(error.filename), 120), (error.strerror or str(error)).lower()
    message = f"'{name}' cannot be used: {reason}. Give another path, or make this one readable and writable."
    return message, 2 if error.errno in _WRONG_NAMES else 1


def _fail(message: str, code: int) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"mtl: {redact(message)}\n")
            sys.stderr.flush()
    sys.exit(code)


if __name__ == "__main__":
    main()
