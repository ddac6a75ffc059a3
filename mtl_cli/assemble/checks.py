"""What parts of a run accept alone but not with one another."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mtl_cli.assemble.length import evaluated_every
from mtl_cli.assemble.tasks import BoundTask
from mtl_cli.config.schema import TrainConfig
from mtl_cli.data.encoded import EncodedSet
from mtl_cli.data.sampler.base import Length, Sampler
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.tasks.kinds.base import Kind
from mtl_cli.weighting.base import Weighting

log = logging.getLogger(__name__)


def check_together(config: TrainConfig, sampler: Sampler, weighting: Weighting, length: Length) -> None:
    """Raise `ConfigError` for what sampler, weighting, weights and batch size accept alone but not with one another."""
    several = len(config.tasks) > 1
    faults = [*_weighting_faults(config, sampler, weighting), *_unheard(config, sampler, weighting, length)] * several
    faults.extend(_rows_faults(config, sampler, weighting))
    if faults:
        raise ConfigError(faults)
    if (
        config.eval.patience is not None
        and config.eval.every != "end"
        and evaluated_every(config, length) >= length.steps
    ):
        log.warning("eval.patience has no effect here: no evaluation comes before the last of %d steps", length.steps)


def _weighting_faults(config: TrainConfig, sampler: Sampler, weighting: Weighting) -> Iterator[Fault]:
    """A sampler that leaves tasks out, and weights that would have no effect."""
    name = config.weighting.name
    if weighting.needs_every_task and not sampler.every_task_each_step:
        lacks = f"weighting '{name}' needs every task in each step, which sampler '{config.sampler.name}' does not give"
        yield Fault("sampler", f"{lacks}. Use sampler=all_tasks.")
    if weighting.scale_free:
        for task, weight in config.weights.items():
            if weight != 1:
                lost = f"weighting '{name}' gives the same whatever a loss is multiplied by, so {weight} would have no effect"
                yield Fault(f"weights.{task}", f"{lost}. Use 1, or another weighting, such as weighting=static.")


def _unheard(config: TrainConfig, sampler: Sampler, weighting: Weighting, length: Length) -> Iterator[Fault]:
    """Who goes by evaluations, where none comes before the end."""
    if evaluated_every(config, length) < length.steps:
        return
    during = f"goes by the scores of evaluations during training, which has {length.steps} steps"
    less = f"found '{config.eval.every}'. Give fewer steps, such as eval.every={max(1, min(50, length.steps // 4))}."
    if weighting.needs_evaluations:
        yield Fault("eval.every", f"weighting '{config.weighting.name}' {during}; {less}")
    if sampler.needs_evaluations:
        yield Fault("eval.every", f"sampler '{config.sampler.name}' {during}; {less}")


def check_scores(
    tasks: Mapping[str, BoundTask],
    validation: Mapping[str, Sequence[EncodedSet]],
    sampler: Sampler,
    weighting: Weighting,
) -> None:
    """Raise `ConfigError` if someone goes by scores that the labels of the validation rows leave undefined."""
    who = [f"{what}" for what, one in (("sampler", sampler), ("weighting", weighting)) if one.needs_evaluations]
    faults = [
        Fault(key, f"needs evaluation scores, and the {metric} of '{name}' is undefined: all labels of {where} are alike. Give other "
              f"validation rows, or another tasks.{name}.metrics.")
        for name, bound in tasks.items() for where in _constant(bound.task.kind, validation[name]) for metric, one in bound.metrics.items()
        if one.needs_varied_labels for key in who
    ]  # fmt: skip
    faults += [
        Fault(key, f"needs the scores of all tasks, and '{name}' has none: it has no labels. Leave the task out, or use another {key}.")
        for key in who for name, bound in tasks.items() if not bound.scored
    ]  # fmt: skip
    if faults and len(tasks) > 1:
        raise ConfigError(faults)


def _constant(kind: Kind, sets: Sequence[EncodedSet]) -> list[str]:
    """Names of the sets whose labels are all alike."""
    found = []
    for one in sets:
        gold = kind.gold(one.targets)[one.labelled_N]
        if len(gold) and np.all(gold == gold[:1]):
            found.append(one.origin.set_name)
    return found


def _rows_faults(config: TrainConfig, sampler: Sampler, weighting: Weighting) -> Iterator[Fault]:
    """Whether a step's rows are enough for its tasks and their parts."""
    try:
        counts = sampler.counts(0, config.batch.size, np.random.default_rng(0))
    except ValueError as error:
        yield Fault("sampler", str(error))
        return
    if len(config.tasks) > 1 and sampler.every_task_each_step and counts.min() < weighting.parts:
        needs = f"weighting '{config.weighting.name}' cuts each task's rows of a step into {weighting.parts} parts"
        least = f"a task may have {counts.min()} rows. Use at least {weighting.parts * len(config.tasks)}."
        yield Fault("batch.size", f"{needs}, but {least}")


def check_chosen(config: TrainConfig, model: MultiTaskModel, weighting: Weighting) -> None:
    """Raise `ConfigError` if weighting or diagnostics look at parameters that the model has not."""
    faults: list[Fault] = []
    asked: list[tuple[str, str | int]] = []
    if len(config.tasks) > 1:
        if weighting.chosen is not None:
            asked.append(("weighting.params", weighting.chosen.params))
        if config.diagnostics.every is not None and config.optim.freeze != "encoder" and model.shares:
            asked.append(("diagnostics.params", config.diagnostics.params))
    for key, params in asked:
        try:
            chosen = {id(p) for _, p in model.choose(params)}
        except ValueError as error:
            faults.append(Fault(key, str(error)))
            continue
        # A look at the gradients can say that one is zero; a method that divides by its length has nothing to go by.
        beside = [n for n in config.tasks if chosen.isdisjoint(id(p) for p in model.parameters_of(n))]
        if beside and key == "weighting.params":
            lacks = f"of what '{params}' means, task '{beside[0]}' uses nothing"
            method = f"so weighting '{config.weighting.name}' has no gradient to go by"
            way = "Let all tasks share something (sharing.branch_at, weighting.params=all), or use weighting=static"
            faults.append(Fault(key, f"{lacks}, {method}. {way}."))
    if faults:
        raise ConfigError(faults)
