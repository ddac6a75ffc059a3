"""The files of a run folder: one dataclass and one reader a format. A reader fails in prose that names the file.

Values are checked against the types below; what is not listed there is kept in `raw`. Whole numbers fit in 64 bits, and no
number is NaN.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from mtl_cli.errors import RunError

T = TypeVar("T")
Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

_MOST_BYTES = 1 << 28
"""Of a file that is read as a whole."""
_LONGEST_REASON = 200
"""Letters of a reason in a message; what was found may be long."""
_FOREIGN = "The file is not as mtl wrote it."


class UnreadableError(RunError):
    """A file of a run folder cannot be read as what it should be.

    Args:
        path: the file.
        problem: what was found, such as "is missing".
        remedy: one sentence.
    """

    def __init__(self, path: Path, problem: str, remedy: str = _FOREIGN) -> None:
        self.path, self.problem, self.remedy = path, problem, remedy
        super().__init__(f"{path} {problem}. {remedy}")

    def __reduce__(self) -> tuple[type[UnreadableError], tuple[Path, str, str]]:
        return type(self), (self.path, self.problem, self.remedy)


def read_bytes(path: Path, remedy: str = _FOREIGN) -> bytes:
    """Content of a regular file of at most 256 MiB.

    Raises:
        UnreadableError: it is missing, a folder, a pipe, too large, or the system refuses to read it.
    """
    try:
        # Without O_NONBLOCK, a named pipe in the place of a file would be waited for without end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or device"
            raise UnreadableError(path, f"is {kind}, not a file", remedy)
        with os.fdopen(descriptor, "rb") as stream:
            if found.st_size > _MOST_BYTES:
                raise UnreadableError(path, "is damaged: it has more than 256 MiB", remedy)
            return stream.read()
    except FileNotFoundError as error:
        raise UnreadableError(path, "is missing", remedy) from error
    except (OSError, ValueError) as error:
        raise UnreadableError(path, f"cannot be read: {_reason(error)}", remedy) from error


def read_text(path: Path, remedy: str = _FOREIGN) -> str:
    """Content of a text file in UTF-8. Raises `UnreadableError`."""
    try:
        return read_bytes(path, remedy).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(path, f"is damaged: byte {error.start} is not UTF-8", remedy) from error


def read_json(path: Path, form: type[T] | Any = Any, remedy: str = _FOREIGN) -> T:
    """A JSON document, checked against a type.

    Raises:
        UnreadableError: it cannot be read, is no JSON, or a value has another type.
    """
    return _decoded(read_bytes(path, remedy), form, path, remedy)


def _decoded(content: bytes, form: Any, path: Path, remedy: str, where: str = "") -> Any:
    try:
        return msgspec.json.decode(content, type=form)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(path, f"is damaged{where}: {_reason(error)}", remedy) from error


def _converted(raw: Any, form: type[T], path: Path, remedy: str) -> T:
    try:
        return msgspec.convert(raw, form)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(path, f"is damaged: {_reason(error)}", remedy) from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = text.replace("Input data was truncated", "it is empty or cut short").rstrip(".")
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."


@dataclass(frozen=True)
class MetricSummary:
    """A metric of summary.json: one task on one set."""

    metric: str
    set_name: str
    value: float | None = None
    """None: it is undefined."""
    low: float | None = None
    high: float | None = None
    rows: Count = 0
    higher_is_better: bool = True
    undefined: Literal["", "labels", "predictions"] = ""
    """Why there is no value."""


@dataclass(frozen=True)
class TaskSummary:
    """A task of summary.json."""

    metrics: tuple[MetricSummary, ...]
    score: float | None = None
    higher_is_better: bool = True
    note: str = ""


@dataclass(frozen=True)
class Summary:
    """summary.json of training, evaluation or zero-shot answers: it marks a finished run."""

    tasks: Mapping[str, TaskSummary] = field(default_factory=dict)
    status: str = "done"
    mean: float | None = None
    note: str = ""
    steps: Count | None = None
    best_step: Int | None = None
    seconds: float | None = None
    rows: Any = None
    raw: Mapping[str, Any] = field(default_factory=dict)
    """The whole document."""

    def training_rows(self, task: str) -> int:
        """Rows that a task was trained on. Raises `KeyError` if they are not recorded."""
        found = self.rows[task]["train"] if isinstance(self.rows, Mapping) else None
        if not isinstance(found, int):
            raise KeyError(task)
        return found


def read_summary(folder: Path) -> Summary:
    """The summary of a finished run.

    Raises:
        UnreadableError: it is missing or damaged; the checkpoints may be whole.
    """
    path = folder / "summary.json"
    remedy = "Restore the file, or score a checkpoint again with `mtl eval run=FOLDER`."
    raw: dict[str, Any] = read_json(path, dict[str, Any], remedy)
    _check_numbers(raw, path, remedy)
    return replace(_converted(raw, Summary, path, remedy), raw=raw)


def _check_numbers(raw: Mapping[str, Any], path: Path, remedy: str) -> None:
    """Numbers that stand at the top may become cells of a table."""
    for name, value in raw.items():
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise UnreadableError(path, f"is damaged: {name[:40]} is out of range", remedy)


@dataclass(frozen=True)
class LabelsRecord:
    """How the raw labels of a set of rows were read; see `tasks.kinds.column.Reading`."""

    values: str
    meaning: Mapping[str, str] = field(default_factory=dict)
    no_label: Mapping[str, int] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True)
class DataRecord:
    """What env.json knows of a set of rows."""

    fingerprint: str
    task: str | None = None
    split: str | None = None
    """train | validation | test."""
    labels: LabelsRecord | None = None


@dataclass(frozen=True)
class Environment:
    """env.json: what made the numbers."""

    data: Mapping[str, DataRecord] = field(default_factory=dict)
    """By `task.set`."""
    config_dirs: tuple[str, ...] = ()
    backbone: str | None = None
    precision: str | None = None
    mtl: str | None = None
    threads: Annotated[int, msgspec.Meta(ge=1, le=4096)] | None = None
    """Of one process."""
    arithmetic: str | None = None
    """Of zero-shot answers: what the last bits of a score depend on; None: an earlier version of mtl did not record it."""


def read_environment(folder: Path, section: str = "run") -> Environment:
    """The environment of a run that a section of the config names. Raises `UnreadableError`."""
    return read_json(folder / "env.json", Environment, f"Restore the file, or start over with another {section}.name.")


_ANSWERS = "Restore the file, or start over with another out.name."


@dataclass(frozen=True)
class DecisionRecord:
    """decision.json of zero-shot answers: what was found on a sample of the texts before the first answer."""

    temperature: Annotated[float, msgspec.Meta(gt=0)]
    shift: Mapping[str, float] | None
    """By label, added to its logit."""
    threshold: float | None


def read_decision(folder: Path, labels: Sequence[str]) -> DecisionRecord | None:
    """What a run decided on before its first answer; None if it had not come to that.

    Raises:
        UnreadableError: the file is damaged, or its shift is that of other labels.
    """
    path = folder / "decision.json"
    if not path.exists():
        return None
    found: DecisionRecord = read_json(path, DecisionRecord, _ANSWERS)
    if found.shift is not None and set(found.shift) != set(labels):
        raise UnreadableError(path, "is damaged: its shift is not that of the labels", _ANSWERS)
    return found


@dataclass(frozen=True)
class _BecauseRecord:
    label: str
    what: str
    score: float


@dataclass(frozen=True)
class _AnswerRecord:
    text: str
    scores: Mapping[str, float]
    label: str | None = None
    labels: tuple[str, ...] | None = None
    gold: str | tuple[str, ...] | None = None
    held: bool = False
    because: _BecauseRecord | None = None


def read_answer(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """A line of predictions/input.jsonl, its values checked. Raises `UnreadableError`; says in which line."""
    where = f" in line {number}"
    _decoded(line, _AnswerRecord, path, _ANSWERS, where)
    raw: dict[str, Any] = _decoded(line, dict[str, Any], path, _ANSWERS, where)
    if "label" not in raw and "labels" not in raw:
        raise UnreadableError(path, f"is damaged{where}: it holds no answer", _ANSWERS)
    return raw


@dataclass(frozen=True)
class Prediction:
    """A line of predictions/TASK.SET.jsonl."""

    row: Count
    label: str | float | list[str | None] | None
    prediction: str | float | list[str | None] | None


def read_predictions(path: Path) -> list[Prediction]:
    """Predictions of one set, their row numbers rising.

    Raises:
        UnreadableError: it is missing or damaged; says in which line.
    """
    rows = list(_lines(path, Prediction))
    # A run with eval.limit holds some rows of the set, so numbers may be left out, but all go up.
    for number, (before, after) in enumerate(itertools.pairwise(rows), start=2):
        if after.row <= before.row:
            raise UnreadableError(path, f"is damaged in line {number}: rows are not in order")
    return rows


@dataclass(frozen=True)
class MetricsRecord:
    """A line of metrics.jsonl."""

    event: str
    step: Count
    raw: Mapping[str, Any] = field(default_factory=dict)
    """The whole record."""


def read_metrics(path: Path, *, may_be_cut: bool = False) -> list[MetricsRecord]:
    """What was recorded at which step.

    Args:
        path: metrics.jsonl.
        may_be_cut: of a run that was killed, the last line may be half a line; it is left out.

    Raises:
        UnreadableError: it is missing or damaged; says in which line.
    """
    found = []
    for raw in _lines(path, dict[str, Any], may_be_cut):
        found.append(replace(_converted(raw, MetricsRecord, path, _FOREIGN), raw=raw))
    return found


def _lines(path: Path, form: Any, may_be_cut: bool = False) -> Iterator[Any]:
    content = read_bytes(path)
    if may_be_cut:
        content = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(content.splitlines(), start=1):
        yield _decoded(line, form, path, _FOREIGN, f" in line {number}")


@dataclass(frozen=True)
class SelectorState:
    """Of state.json: the best evaluation so far."""

    best_step: Int
    """-1: there was none."""


@dataclass(frozen=True)
class CheckpointState:
    """state.json of a checkpoint; what loader, optimiser and weighting keep is theirs to read from `raw`."""

    step: Count
    selector: SelectorState | None = None
    metrics_bytes: Count = 0
    kinds: Mapping[str, Any] = field(default_factory=dict)
    """By task."""
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def best_step(self) -> int | None:
        """Step of the best checkpoint so far; None if there is none."""
        return self.selector.best_step if self.selector is not None and self.selector.best_step >= 0 else None


def read_state(checkpoint: Path) -> CheckpointState:
    """The state of a checkpoint. Raises `UnreadableError`."""
    path = checkpoint / "state.json"
    raw: dict[str, Any] = read_json(path, dict[str, Any])
    return replace(_converted(raw, CheckpointState, path, _FOREIGN), raw=raw)


@dataclass(frozen=True)
class FileRecord:
    """An entry of manifest.json."""

    bytes: Count
    sha256: str


def read_manifest(checkpoint: Path) -> dict[str, FileRecord]:
    """Size and digest of each file of a checkpoint. Raises `UnreadableError`."""
    return read_json(checkpoint / "manifest.json", dict[str, FileRecord])


@dataclass(frozen=True)
class SweepPoint:
    """An entry of sweep.json."""

    run: str
    varied: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


def read_sweep(folder: Path) -> list[SweepPoint]:
    """Points of a sweep. Raises `UnreadableError`."""
    return read_json(folder / "sweep.json", list[SweepPoint], "Repeat the sweep's command, which writes it again.")


@dataclass(frozen=True)
class SeriesRecord:
    """compare.json: runs of a series and their baselines, relative to its folder."""

    runs: tuple[str, ...]
    baselines: Mapping[str, tuple[str, ...]]


def read_series(folder: Path) -> SeriesRecord:
    """Which baselines the runs of a series have. Raises `UnreadableError`."""
    return read_json(folder / "compare.json", SeriesRecord, "Repeat the command of the series, which writes it again.")
