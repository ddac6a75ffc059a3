"""Config -> tasks with their kinds and metrics."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtl_cli.config.convert import Builder, Node, bind
from mtl_cli.config.registry import FAMILIES, resolve
from mtl_cli.config.schema import SPLITS, TaskConfig
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.metrics.base import Metric
from mtl_cli.objectives.supervised import Supervised
from mtl_cli.tasks.formats.base import Options
from mtl_cli.tasks.inputs.base import Input
from mtl_cli.tasks.kinds.base import Kind
from mtl_cli.tasks.matching import CLASSES, HYPOTHESIS, Matching
from mtl_cli.tasks.task import Source, Task

UNLABELLED = "nothing"
"""Form of the predictions of a kind without labels."""


@dataclass(frozen=True)
class BoundTask:
    """A task and its metrics."""

    task: Task
    metrics: Mapping[str, Metric]
    """None: the task has no score."""
    objective: Builder = field(default_factory=lambda: Builder("objective", "supervised", Supervised, {}))
    """Of what is minimised; takes the kind and the encoder's vocabulary."""

    @property
    def scored(self) -> bool:
        """Whether its predictions can be scored at all."""
        return self.task.kind.form != UNLABELLED

    @property
    def needs_labels(self) -> bool:
        """Whether a row must have a label to be trained on."""
        return _needs_labels(self.objective.builder)


def bind_tasks(configs: Mapping[str, TaskConfig], max_length: int, faults: list[Fault]) -> dict[str, BoundTask]:
    """Build kinds and metrics of all tasks; what is wrong goes to `faults`."""
    bound = {}
    for name, config in configs.items():
        built = _bind_task(name, config, max_length, faults)
        if built is not None:
            bound[name] = built
    faults.extend(_head_faults(bound))
    return bound


def head_names(tasks: Mapping[str, BoundTask]) -> dict[str, str]:
    """Name of each task's head."""
    return {name: bound.task.head_name for name, bound in tasks.items()}


def _head_faults(tasks: Mapping[str, BoundTask]) -> Iterator[Fault]:
    """Tasks of one head must mean the same by its outputs, and read pairs in one way."""
    first: dict[str, Task] = {}
    for name, bound in tasks.items():
        task, other = bound.task, first.setdefault(bound.task.head_name, bound.task)
        beside = f"shares the head '{task.head_name}' with '{other.name}'"
        own, theirs = _outputs(task), _outputs(other)
        if own != theirs:
            differ = f"which gives {theirs}; this task needs {own}. Give both the same classes in the same order (kind.merge may help)"
            yield Fault(f"tasks.{name}.head", f"{beside}, {differ}, or heads of their own.")
        elif task.input.name != other.input.name:
            differ = f"whose input is {other.input.name}; this task's is {task.input.name}. Give both the same input"
            yield Fault(f"tasks.{name}.head", f"{beside}, {differ}, or heads of their own.")


def _outputs(task: Task) -> str:
    names = ", ".join(task.kind.classes)
    return f"{task.kind.name} of {names}" if names else task.kind.name


def _bind_task(name: str, config: TaskConfig, max_length: int, faults: list[Fault]) -> BoundTask | None:
    key = f"tasks.{name}"
    kind_builder, input_builder, objective = (
        bind(f, getattr(config, f), faults, f"{key}.{f}") for f in ("kind", "input", "objective")
    )
    metrics = {m: bind("metric", Node(m, {}), faults, f"{key}.metrics") for m in config.metrics}
    if kind_builder is None or input_builder is None or objective is None:
        return None
    try:
        kind: Kind = kind_builder.build()
        given: Input = input_builder.build()
    except ConfigError as error:
        faults.extend(error.faults)
        return None
    faults.extend([*_input_faults(key, config, given, kind), *_label_faults(key, config, kind, objective)])
    matching = _matching(key, config, kind.classes, faults) if config.matching else None
    built: dict[str, Metric] = {m: b.build() for m, b in metrics.items() if b is not None}
    if len({metric.higher_is_better for metric in built.values()}) > 1:
        mixed = "some are better when higher, some when lower: their mean, the task's score, would mean nothing"
        faults.append(Fault(f"{key}.metrics", mixed))
    for metric_name, metric in built.items() if kind.form != UNLABELLED else ():
        try:
            metric.check(kind.form, len(kind.classes))
        except ValueError as error:
            faults.append(Fault(f"{key}.metrics", f"'{metric_name}' {error}. Use {_or(_metrics_of(kind))}."))
    source = config.source
    place = Source(
        hub=source.hub,
        subset=source.subset,
        folder=source.folder or name,
        bundled=source.bundled,
        files=source.files,
        sets={split: tuple(source.sets(split)) for split in SPLITS},
        hub_sets={split: tuple(source.hub_sets(split)) for split in SPLITS},
        options=Options(source.delimiter, source.quoting, f"{key}.source"),
    )
    task = Task(
        name, kind, tuple(config.text), config.label or "", tuple(config.metrics), place, config.max_length or max_length,
        given, config.head, matching,
    )  # fmt: skip
    return BoundTask(task, built, objective)


def _input_faults(key: str, config: TaskConfig, given: Input, kind: Kind) -> Iterator[Fault]:
    """Columns that the input does not read, and arrays that the kind needs and it does not give."""
    try:
        given.check(config.text)
    except ValueError as error:
        yield Fault(f"{key}.text", str(error))
    lacking = [name for name in kind.inputs if name not in given.arrays]
    if lacking:
        needs = f"{kind.name} needs {', '.join(lacking)}, which input '{config.input.name}' does not give"
        yield Fault(f"{key}.input", f"{needs}. Use {_or(_inputs_with(kind.inputs))}.")


def _label_faults(key: str, config: TaskConfig, kind: Kind, objective: Builder) -> Iterator[Fault]:
    """A kind with labels needs their column and a metric; one without has neither."""
    if kind.form == UNLABELLED:
        for name in ("label", "metrics"):
            if getattr(config, name):
                none = f"a task of kind {config.kind.name} has none: it is trained on and not scored"
                yield Fault(f"{key}.{name}", none)
        if _needs_labels(objective.builder):
            ways = [
                f"objective={name}" for name in FAMILIES["objective"] if not _needs_labels(resolve("objective", name))
            ]
            lacks = f"'{config.objective.name}' needs labels, which a task of kind {config.kind.name} does not have"
            yield Fault(f"{key}.objective", f"{lacks}. Use {_or(ways)}.")
        return
    if config.label is None:
        yield Fault(f"{key}.label", "missing")
    if not config.metrics:
        yield Fault(f"{key}.metrics", "must name at least one metric")


def _needs_labels(objective: Any) -> bool:
    return bool(getattr(objective, "needs_labels", True))  # a builder of the user's own may be any function


def _inputs_with(arrays: Sequence[str]) -> list[str]:
    """Inputs that give some arrays."""
    return [f"input={name}" for name in FAMILIES["input"] if set(arrays) <= set(resolve("input", name)().arrays)]


def _metrics_of(kind: Kind) -> list[str]:
    """Metrics that fit a kind."""
    found = []
    for name in FAMILIES["metric"]:
        with contextlib.suppress(ValueError):
            resolve("metric", name)().check(kind.form, len(kind.classes))
            found.append(name)
    return found


def _or(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _matching(key: str, config: TaskConfig, classes: Sequence[str], faults: list[Fault]) -> Matching | None:
    """What makes pairs of a task's rows; what is wrong goes to `faults`."""
    assert config.matching is not None
    if len(config.text) != 2 or config.text[1] != HYPOTHESIS or HYPOTHESIS in (config.text[0], config.label):
        names = f"with matching it names the column of the text, then {HYPOTHESIS}, which is made"
        faults.append(Fault(f"{key}.text", f"{names}; found [{', '.join(config.text)}]"))
    if set(classes) != set(CLASSES):
        made = f"matching makes rows with the labels {' and '.join(CLASSES)}, which must be its labels"
        faults.append(Fault(f"{key}.kind", f"{made}; found {', '.join(classes) or 'a number'}"))
    given = config.matching
    try:
        return Matching(given.phrases(), given.templates, given.negatives, given.seed)
    except ValueError as error:
        faults.append(Fault(f"{key}.matching", str(error)))
        return None
