"""The errors that `mtl` raises on purpose. Each message says what was asked, what was found and what to do."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

_LONGEST_WORD = 200
"""Characters of a value in a message; what is longer is cut in its middle."""
_LONGEST_FAULT = 2000
_MOST_FAULTS = 20
_MOST_OPTIONS = 40
_LONG_WORD = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")


class MtlError(Exception):
    """Base of all errors that are printed as prose, without a traceback."""

    exit_code = 1


class RunError(MtlError):
    """A run started and could not go on: exit code 1."""

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message))


class OutputError(RunError):
    """Standard output takes no more: exit code 1."""


class DataError(MtlError):
    """A data file, column or label is not what the task asks for: exit code 2.

    Args:
        problem: what was found and what to do.
        task: whose rows they are; "" if the problem names it, or no task has to do with it.
    """

    exit_code = 2

    def __init__(self, problem: str, task: str = "") -> None:
        self.problem, self.task = shortened(problem), task
        super().__init__(problem, task)

    def __str__(self) -> str:
        return f"task '{self.task}': {self.problem}" if self.task else self.problem

    def of_task(self, name: str) -> DataError:
        """The same said of a task's rows."""
        return DataError(self.problem, name)


class Interrupted(MtlError):  # noqa: N818
    """The run was told to stop and has saved its state.

    Args:
        what: what was stopped and what is saved, without a full stop.
        signal_number: the signal that came; the exit code is 128 plus it, as shells have it.
        left: what is left to do beside it, such as "2 more runs are left"; "" if nothing is.
        resume_command: the command that goes on; "" if who catches the error knows it.
    """

    def __init__(self, what: str, signal_number: int, left: str = "", resume_command: str = "") -> None:
        super().__init__(what, signal_number, left, resume_command)
        self.what, self.signal_number, self.left, self.resume_command = what, signal_number, left, resume_command
        self.exit_code = 128 + signal_number

    def __str__(self) -> str:
        again = f"To go on: {self.resume_command}" if self.resume_command else ""
        return ". ".join(part for part in (self.what, self.left, again) if part)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a config."""

    key: str
    """Dotted key, such as `optim.lr`."""
    problem: str
    wanted: str = ""
    """What the value must be, where that is what is wrong, such as "must be a number"."""
    suggestion: str = ""
    """A sentence that names what was probably meant; `problem` ends in it."""

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}" if self.key else self.problem

    def with_prefix(self, prefix: str, instead_of: str = "") -> Fault:
        """The same fault under another section; of a key outside the section `instead_of` nothing changes."""
        if instead_of and not f"{self.key}.".startswith(f"{instead_of}."):
            return self
        rest = self.key[len(instead_of) :].removeprefix(".")
        return replace(self, key=".".join(part for part in (prefix, rest) if part))


class ConfigError(MtlError):
    """What was asked cannot be run: exit code 2. Holds every fault found, not only the first; the message lists the first ones."""

    exit_code = 2

    def __init__(self, faults: Iterable[Fault] | str) -> None:
        self.faults: Sequence[Fault] = [Fault("", faults)] if isinstance(faults, str) else list(faults)
        lines = [shortened(str(fault)) for fault in self.faults[:_MOST_FAULTS]]
        if len(self.faults) > _MOST_FAULTS:
            lines.append(f"... and {len(self.faults) - _MOST_FAULTS:,} more")
        super().__init__("\n".join(lines))


def cut(text: str, most: int = _LONGEST_WORD) -> str:
    """A text of at most so many characters and a note: a longer one without its middle."""
    if len(text) <= most:
        return text
    head, tail = most * 2 // 3, most // 3
    return f"{text[:head]}...({len(text) - head - tail:,} more characters)...{text[-tail:]}"


def shortened(message: str) -> str:
    """A message in which no value is echoed at full length."""
    return cut(_LONG_WORD.sub(lambda found: cut(found[0]), message), _LONGEST_FAULT)


def listed(names: Iterable[str]) -> str:
    """Names with commas; of very many the first, and how many there are."""
    known = [cut(name, 60) for name in names]
    if len(known) <= _MOST_OPTIONS:
        return ", ".join(known)
    return f"{', '.join(known[:_MOST_OPTIONS])}, ... ({len(known):,} in all)"


def closest(name: str, options: Iterable[str]) -> str | None:
    """The option that a name was probably meant to be, whatever its case; None if none is close."""
    if len(name) > _LONGEST_WORD:
        return None
    by_folded = {normal(option).casefold(): option for option in options}
    found = difflib.get_close_matches(normal(name).casefold(), by_folded, n=1, cutoff=0.65)
    return by_folded[found[0]] if found else None


def normal(text: str) -> str:
    """A text in which letters with accents are one character each, however they were typed."""
    return unicodedata.normalize("NFC", text)


@dataclass(frozen=True)
class Suggestion:
    """What to write in the place of an unknown name."""

    name: str
    close: str | None
    """The option that was probably meant."""
    options: Sequence[str]
    """All of them, in order."""

    @classmethod
    def of(cls, name: str, options: Iterable[str]) -> Suggestion:
        """The suggestion for a name that is none of the options."""
        known = sorted(options)
        return cls(name, closest(name, known), known)

    @property
    def if_close(self) -> str:
        """A sentence that names the closest option; empty if none is close."""
        return "" if self.close is None else str(self)

    def __str__(self) -> str:
        if self.close is None:
            return f"Available: {listed(self.options)}." if self.options else ""
        if looks_alike(self.name, self.close):
            found, meant = code_points(self.name, self.close), code_points(self.close, self.name)
            return f"Did you mean '{self.close}'? It looks the same: found {found}, not {meant}."
        return f"Did you mean '{self.close}'?"


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """A sentence that names the closest option, or lists all of them if none is close; empty if there are none.

    A name that looks the same as the option is shown by the code points in which the two differ.
    """
    return str(Suggestion.of(name, options))


def looks_alike(a: str, b: str) -> bool:
    """Whether two different texts are the same to the eye: composed in another way, or with marks of no width."""
    return a != b and _visible(a) == _visible(b)


def _visible(text: str) -> str:
    shown = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return " ".join(shown.split())


def code_points(text: str, other: str) -> str:
    """The code points of a text from where it differs from another one, at most six."""
    start = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
    points = [f"U+{ord(c):04X}" for c in text[start : start + 6]]
    return " ".join(points) if points else "nothing more"
