"""What a launcher is: jobs in, outcomes out. It knows no training, only work that may be sent to another process."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mtl_cli.errors import ConfigError, Fault, Interrupted, MtlError
from mtl_cli.signals import stop_signals_to

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One point."""

    name: str
    work: Callable[[], None]
    """Can be pickled; raises `MtlError` if it fails."""
    place: str = ""
    """Such as "3 of 12"."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    name: str
    error: MtlError | None


class Launcher(Protocol):
    """Runs jobs."""

    apart: bool
    """Whether jobs run in other processes."""

    @property
    def width(self) -> int:
        """Jobs at once."""

    def prepare(self, folder: Path) -> None:
        """Raise `ConfigError` if the engine cannot be used; nothing has been run or written."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Run all jobs; outcomes come as jobs end.

        Raises:
            Interrupted: a signal came; jobs that were running have saved their state, or have been told to.
        """


class Told:
    """Whether a signal has come."""

    number: int | None = None

    def check(self) -> None:
        """Raise `Interrupted` if one has."""
        if self.number is not None:
            raise Interrupted("stopped; the points that were running were told to save their state", self.number)


@contextmanager
def told(pass_on: Callable[[], None]) -> Iterator[Told]:
    """Inside, Ctrl-C and SIGTERM are passed on to the jobs; a second one ends this process at once."""
    state = Told()

    def handle(number: int) -> None:
        if state.number is not None:
            raise KeyboardInterrupt
        state.number = number
        log.info("stopping: the running points save their state first (again to stop at once)")
        pass_on()

    with stop_signals_to(handle):
        yield state


def done(job: Job) -> Outcome:
    """Do a job's work."""
    try:
        job.work()
    except MtlError as error:
        return Outcome(job.name, error)
    return Outcome(job.name, None)


def stoppable() -> AbstractContextManager[None]:
    """In a job's own process: a signal before training has handlers of its own ends the job, not the process."""

    def handle(number: int) -> None:
        raise Interrupted("stopped before its first step", number)

    return stop_signals_to(handle)


def need(package: str, extra: str) -> None:
    """Raise `ConfigError` with the line to install it if a package is not there."""
    if importlib.util.find_spec(package) is None:
        raise ConfigError([Fault("launcher", f"needs the package '{package}': pip install 'mtl-cli[{extra}]'")])


def said(job: Job, what: str) -> None:
    """One line of progress."""
    log.info("point    %s %s: %s", job.place, what, job.name)
