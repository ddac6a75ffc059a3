"""Config -> tasks with their kinds and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mtl_cli.config.convert import Node, bind
from mtl_cli.config.schema import SPLITS, TaskConfig
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.metrics.base import Metric
from mtl_cli.tasks.formats.base import Options
from mtl_cli.tasks.matching import CLASSES, HYPOTHESIS, Matching
from mtl_cli.tasks.task import Source, Task


@dataclass(frozen=True)
class BoundTask:
    """A task and its metrics."""

    task: Task
    metrics: Mapping[str, Metric]


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
        elif task.layout != other.layout:
            differ = f"whose layout is {other.layout}; this task's is {task.layout}. Give both the same layout"
            yield Fault(f"tasks.{name}.head", f"{beside}, {differ}, or heads of their own.")


def _outputs(task: Task) -> str:
    names = ", ".join(task.kind.classes)
    return f"{task.kind.name} of {names}" if names else task.kind.name


def _bind_task(name: str, config: TaskConfig, max_length: int, faults: list[Fault]) -> BoundTask | None:
    key = f"tasks.{name}"
    kind_builder = bind("kind", config.kind, faults, f"{key}.kind")
    metrics = {m: bind("metric", Node(m, {}), faults, f"{key}.metrics") for m in config.metrics}
    if kind_builder is None:
        return None
    try:
        kind = kind_builder.build()
    except ConfigError as error:
        faults.extend(error.faults)
        return None
    matching = _matching(key, config, kind.classes, faults) if config.matching else None
    built: dict[str, Metric] = {m: b.build() for m, b in metrics.items() if b is not None}
    if len({metric.higher_is_better for metric in built.values()}) > 1:
        mixed = "some are better when higher, some when lower: their mean, the task's score, would mean nothing"
        faults.append(Fault(f"{key}.metrics", mixed))
    for metric_name, metric in built.items():
        try:
            metric.check(len(kind.classes))
        except ValueError as error:
            faults.append(Fault(f"{key}.metrics", f"'{metric_name}' {error}"))
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
        name, kind, tuple(config.text), config.label, tuple(config.metrics), place, config.max_length or max_length,
        config.layout, config.head, matching,
    )  # fmt: skip
    return BoundTask(task, built)


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
