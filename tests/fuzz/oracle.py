"""One case in a forked child, and what it must keep to.

- Nothing but `SystemExit` leaves `main`: no traceback, no hang, no signal.
- The exit code is a listed one. Any but 0 comes with exactly one message, `mtl: ...` or `Error: ...` of the parser, on standard error, of
  bounded length, and leaves standard output empty. A long word of the command line is not echoed in whole more than once.
- Nothing is written outside the case's folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.case import Case

CODES = (0, 1, 2, 130, 141, 143)
SECONDS = 12
"""After which a case is interrupted, as by Ctrl-C; it then has as long again to stop."""
MEMORY = 3 << 30
"""Bytes of address space above what the parent has."""
FILE = 256 << 20
MESSAGE = 6000
"""Letters of standard error, where a case is refused."""
SECRET = "hunter2-of-the-environment"

_WRITES = {"os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.symlink", "os.link", "os.truncate", "shutil.rmtree"}


@dataclass(frozen=True)
class Outcome:
    """How a case ended."""

    code: int | None
    fault: str
    """What it did not keep to, as a class; empty if nothing."""
    detail: str
    out: str
    err: str
    seconds: float


def run(case: Case, folder: Path, scratch: Path) -> Outcome:
    """Run a case in a child and judge it."""
    (scratch / "stdin").write_bytes(case.stdin)
    sys.stdout.flush()
    sys.stderr.flush()
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        _child(case, folder, scratch)
    status = _waited(child, 4 * SECONDS)
    out, err = ((scratch / name).read_bytes().decode("utf-8", "replace") for name in ("stdout", "stderr"))
    try:
        left = json.loads((scratch / "left").read_text())
    except (OSError, ValueError):
        left = {"code": None, "fault": f"killed: status {status}", "detail": err[-3000:]}
    fault = left["fault"] or next(_broken(case, left["code"], out, err), "")
    return Outcome(left["code"], fault, left["detail"], out, err, time.monotonic() - begin)


def run_block(cases: Iterator[tuple[int, Case]], folder: Path, scratch: Path) -> dict[int, Outcome]:
    """Call the checks of many cases in one child, which is cheaper; those that are commands are left out.

    Args:
        cases: by number, made one at a time in the child, each with its files.
        folder: the case's folder.
        scratch: for what the child prints and finds.
    """
    (scratch / "stdin").write_bytes(b"")
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _block(cases, folder, scratch)
    _waited(child, 100 * SECONDS)
    try:
        records = [json.loads(line) for line in (scratch / "block").read_text().splitlines()]
    except (OSError, ValueError):
        return {}
    return {record.pop("number"): Outcome(**record) for record in records}


def _block(cases: Iterator[tuple[int, Case]], folder: Path, scratch: Path) -> None:
    """Never returns. What comes last may be missing: the caller runs it alone."""
    with contextlib.suppress(BaseException):
        _confine(folder, scratch)
        outside: list[str] = []
        _watch(outside, (folder.resolve(), scratch.resolve(), Path(os.environ["MTL_CACHE"])))
        with (scratch / "block").open("w") as stream:
            for number, case in cases:
                if case.check is not None:
                    signal.alarm(SECONDS)
                    stream.write(json.dumps({"number": number, **_judged(case, case.check, outside)}) + "\n")
                    stream.flush()
    os._exit(0)


def _judged(case: Case, check: Callable[[], None], outside: list[str]) -> dict[str, Any]:
    from mtl_cli.errors import MtlError

    begin = time.monotonic()
    found: dict[str, Any] = {"code": 0, "fault": "", "detail": "", "out": "", "err": ""}
    try:
        check()
    except MtlError as error:
        found.update(code=error.exit_code, err=f"mtl: {error}\n")
    except BaseException as error:  # noqa: BLE001
        found.update(_escaped(error))
    fault = found["fault"] or next(_broken(case, found["code"], "", found["err"]), "")
    if outside:
        fault = f"writes outside: {outside[0]}"
        outside.clear()
    return {**found, "fault": fault, "seconds": time.monotonic() - begin}


def _waited(child: int, seconds: float) -> int | str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


def _child(case: Case, folder: Path, scratch: Path) -> None:
    """Never returns."""
    left: dict[str, Any] = {"code": None, "fault": "", "detail": ""}
    try:
        _confine(folder, scratch)
        left.update(_called(case, folder, scratch))
    except BaseException as error:  # noqa: BLE001  the oracle's own faults are findings too
        left.update(fault=f"oracle: {type(error).__name__}", detail=traceback.format_exc())
    finally:
        # A place that a closed or full standard output cannot reach.
        target = os.open(scratch / "left.new", os.O_WRONLY | os.O_CREAT)
        os.write(target, json.dumps(left).encode())
        (scratch / "left.new").rename(scratch / "left")
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(0)


def _confine(folder: Path, scratch: Path) -> None:
    os.setsid()
    os.chdir(folder)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(scratch / name, flags, 0o600), number)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    signal.alarm(SECONDS)


def _called(case: Case, folder: Path, scratch: Path) -> dict[str, Any]:
    from mtl_cli.cli.app import main
    from mtl_cli.errors import MtlError

    outside: list[str] = []
    _watch(outside, (folder.resolve(), scratch.resolve(), Path(os.environ["MTL_CACHE"])))
    sys.argv = ["mtl", *case.words]
    code: object = 0
    try:
        if case.check is None:
            main()
        else:
            case.check()
    except SystemExit as error:
        code = error.code or 0
    except MtlError as error:
        if case.check is None and "--debug" not in case.words:
            return _escaped(error)
        sys.stderr.write(f"mtl: {error}\n")
        code = error.exit_code
    except BaseException as error:  # noqa: BLE001
        return _escaped(error)
    if outside:
        return {
            "code": code,
            "fault": f"writes outside: {outside[0].partition(' ')[0]}",
            "detail": "\n".join(outside[:5]),
        }
    return {"code": code}


def _escaped(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/mtl_cli/" in f.filename] or frames
    last = ours[-1]
    place = f"{last.filename.rpartition('/mtl_cli/')[2]}:{last.lineno} {last.name}"
    return {
        "fault": f"traceback: {type(error).__name__} at {place}",
        "detail": "".join(traceback.format_exception(error))[-4000:],
    }


def _watch(outside: list[str], inside: tuple[Path, ...]) -> None:
    """Remember each write that Python is asked for elsewhere than in these folders."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            flags = arguments[2]
            if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                look(event, arguments[0])
        elif event in _WRITES:
            look(event, arguments[0])
            if event == "os.rename":
                look(event, arguments[1])

    def look(event: str, path: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        name = os.fsdecode(path)
        real = os.path.realpath(os.path.dirname(os.path.abspath(name)))  # noqa: PTH100, PTH120  no new objects: this is a hook
        if os.path.join(real, os.path.basename(name)) in map(str, inside):  # noqa: PTH118, PTH119
            return
        allowed = ("/dev", "/proc", *map(str, inside))
        if not any(real == folder or real.startswith(f"{folder}/") for folder in allowed) and "__pycache__" not in real:
            outside.append(f"{event} {name}")

    sys.addaudithook(hook)


def _broken(case: Case, code: int | None, out: str, err: str) -> Iterator[str]:
    """Classes of what was not kept to, the gravest first."""
    if "Traceback (most recent call last)" in err or "Traceback (most recent call last)" in out:
        yield f"traceback printed: {err.strip().splitlines()[-1][:60]}"
    if code not in CODES:
        yield f"exit code {code!r}"
    if SECRET in out + err:
        yield "secret printed"
    if not code:
        return
    messages = [line for line in err.splitlines() if line.startswith(("mtl: ", "Error: "))]
    if not messages and err.lstrip().startswith("Usage: "):  # a command without its subcommand prints its help
        return
    if len(messages) != 1:
        yield f"{len(messages)} messages"
    if out and code != 130:
        yield f"exit {code} with output"
    if len(err) > MESSAGE + 4 * sum(min(len(word), 300) for word in case.words):
        yield "long message"
    if any(len(word) > 1000 and err.count(word[20:-20]) > 1 for word in case.words):
        yield "echoed more than once"
