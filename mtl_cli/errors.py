"""The errors that `mtl` raises on purpose. Each message says what was asked, what was found and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class MtlError(Exception):
    """Base of all errors that are printed as prose, without a traceback."""

    exit_code = 1


class RunError(MtlError):
    """A run started and could not go on: exit code 1."""


class DataError(MtlError):
    """A data file, column or label is not what the task asks for: exit code 2."""

    exit_code = 2


class Interrupted(MtlError):  # noqa: N818
    """The run was told to stop and has saved its state.

    Args:
        message: what was saved and how to go on.
        signal_number: the signal that came; the exit code is 128 plus it, as shells have it.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number

    def __reduce__(self) -> tuple[type[Interrupted], tuple[str, int]]:
        return type(self), (str(self), self.signal_number)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a config."""

    key: str
    """Dotted key, such as `optim.lr`."""
    problem: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}" if self.key else self.problem


class ConfigError(MtlError):
    """What was asked cannot be run: exit code 2. Holds every fault found, not only the first."""

    exit_code = 2

    def __init__(self, faults: Iterable[Fault] | str) -> None:
        self.faults: Sequence[Fault] = [Fault("", faults)] if isinstance(faults, str) else list(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """A sentence that names the closest option, or lists all of them if none is close; empty if there are none."""
    known = sorted(options)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"There is: {', '.join(known)}." if known else ""
