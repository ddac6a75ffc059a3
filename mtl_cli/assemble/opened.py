"""Second stage of a run: the encoder and its rows; kinds fitted to the training labels. Legend: N rows of a set, M rows trained on."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtl_cli.assemble.bound import Bound
from mtl_cli.assemble.data_facts import SetFacts, data_facts
from mtl_cli.assemble.length import run_length
from mtl_cli.assemble.objectives import build_objective, vocabulary_of
from mtl_cli.assemble.rows import Rows
from mtl_cli.assemble.tasks import BoundTask
from mtl_cli.data.encoded import EncodedSet
from mtl_cli.data.loader import limited
from mtl_cli.data.sampler.base import Length
from mtl_cli.errors import ConfigError, DataError, Fault
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.objectives.base import Objective, Vocabulary
from mtl_cli.tasks.columns import chosen
from mtl_cli.tasks.kinds.base import Kind

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskRows:
    """The rows of one task, and its kind as fitted to them."""

    train: EncodedSet
    chosen_M: np.ndarray
    """Numbers of the rows that are trained on: those with a label, within `data.limit`."""
    validation: tuple[EncodedSet, ...]
    """Within `eval.limit`; empty where only training rows were opened."""
    kind: Kind
    objective: Objective


@dataclass(frozen=True)
class Opened:
    """A run whose rows are on disk as token ids; no head and no optimiser yet."""

    bound: Bound
    backbone: Backbone
    rows: dict[str, TaskRows]
    """By task."""

    @property
    def kinds(self) -> dict[str, Kind]:
        """Fitted kind of each task."""
        return {name: task.kind for name, task in self.rows.items()}

    @property
    def objectives(self) -> dict[str, Objective]:
        """What is minimised for each task."""
        return {name: task.objective for name, task in self.rows.items()}

    @property
    def train(self) -> dict[str, EncodedSet]:
        """Training set of each task."""
        return {name: task.train for name, task in self.rows.items()}

    @property
    def chosen(self) -> dict[str, np.ndarray]:
        """Numbers of the training rows of each task that are used."""
        return {name: task.chosen_M for name, task in self.rows.items()}

    @property
    def validation(self) -> dict[str, Sequence[EncodedSet]]:
        """Validation sets of each task."""
        return {name: task.validation for name, task in self.rows.items()}

    @property
    def sizes_K(self) -> list[int]:
        """Training rows of each task."""
        return [len(task.chosen_M) for task in self.rows.values()]

    @property
    def length(self) -> Length:
        """Steps of the run if nothing stops it early."""
        return run_length(self.bound.config, sum(self.sizes_K))

    def facts(self) -> list[SetFacts]:
        """What is known of every set."""
        train = {name: (task.train, task.chosen_M) for name, task in self.rows.items()}
        return data_facts(self.bound.tasks, self.validation, "validation", train)


def open_rows(bound: Bound, backbone: Backbone, kinds: Mapping[str, Kind] | None = None) -> Opened:
    """Open the training and validation rows of every task.

    Args:
        bound: the run.
        backbone: whose tokenizer and limits apply.
        kinds: of tasks that were trained before, by task: they stay as they are, and validation rows are not opened.
            None: kinds are fitted to the training labels.

    Raises:
        ConfigError: rows are missing, broken, without labels or too long for the encoder; of all tasks together.
    """
    source = Rows(bound.config.data, backbone)
    vocabulary = vocabulary_of(backbone)
    faults: list[Fault] = []
    opened = {}
    for name, task in bound.tasks.items():
        try:
            rows = _open_task(bound, task, source, faults, None if kinds is None else kinds[name], vocabulary)
        except ConfigError as error:
            faults += error.faults
            continue
        if rows is not None:
            opened[name] = rows
    if faults:
        raise ConfigError(faults)
    return Opened(bound, backbone, opened)


def _open_task(
    bound: Bound, task: BoundTask, source: Rows, faults: list[Fault], known: Kind | None, vocabulary: Vocabulary
) -> TaskRows | None:
    """The rows of one task; what is wrong goes to `faults`."""
    scored = known is None and task.scored
    train = _open_split(task, "train", source, faults, need_labels=task.needs_labels)
    validation = _open_split(task, "validation", source, faults, need_labels=True) if scored else ()
    if not train:
        return None
    kind = task.task.kind if known is None else known
    units_N = build_objective(task, kind, vocabulary).units(train[0])
    chosen_M = limited(units_N > 0, bound.config.data.limit)
    targets = chosen(train[0].targets, chosen_M)
    try:
        kind = kind.fitted(targets) if known is None else known
    except ValueError as error:
        faults.append(Fault(f"tasks.{task.task.name}", str(error)))
        return None
    if kind.classes and task.needs_labels and len(kind.absent(targets)) == len(kind.classes) - 1:
        lost = "all training rows have the same label; there is nothing to tell apart"
        log.warning("task '%s': %s", task.task.name, lost)
    limit = bound.config.eval.limit
    few = validation if limit is None else tuple(one.chosen(limited(one.labelled_N, limit)) for one in validation)
    objective = build_objective(task, kind, vocabulary)
    return TaskRows(dataclasses.replace(train[0], units_N=units_N), chosen_M, few, kind, objective)


def _open_split(
    task: BoundTask, split: str, source: Rows, faults: list[Fault], *, need_labels: bool
) -> tuple[EncodedSet, ...]:
    """The sets of a split; empty, with the reason in `faults`, if they cannot be used."""
    name = task.task.name
    try:
        sets = tuple(source.open(task.task, split, need_labels=need_labels))
    except DataError as error:
        faults.append(Fault(f"tasks.{name}", error.problem))
    except ConfigError as error:
        faults.extend(fault for fault in error.faults if fault not in faults)
    else:
        if not need_labels or any(one.labelled_N.any() for one in sets):
            return sets
        lacks = f"no {split} row has a label in column '{task.task.label}'"
        faults.append(Fault(f"tasks.{name}", f"{lacks}. Name another column (tasks.{name}.label), or other rows"))
    return ()
