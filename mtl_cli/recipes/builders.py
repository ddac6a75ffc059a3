"""The builders that a training config names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtl_cli.config.convert import Bound, bind
from mtl_cli.config.schema import TrainConfig
from mtl_cli.data.sampler.base import Sampler
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.recipes.prepare import BoundTask, bind_tasks
from mtl_cli.weighting.base import Weighting


@dataclass(frozen=True)
class Builders:
    """The open families, bound."""

    backbone: Bound
    sharing: Bound
    weighting: Bound
    sampler: Bound
    schedule: Bound
    tasks: dict[str, BoundTask]


def bind_all(config: TrainConfig) -> Builders:
    """Bind every builder of a config. Raises `ConfigError` with all faults of all families."""
    faults: list[Fault] = []
    families = ("backbone", "sharing", "weighting", "sampler", "schedule")
    bound = {family: bind(family, getattr(config, family), faults, family) for family in families}
    tasks = bind_tasks(config.tasks, config.data.max_length, faults)
    if faults:
        raise ConfigError(faults)
    return Builders(tasks=tasks, **{name: b for name, b in bound.items() if b is not None})


def check_together(config: TrainConfig, sampler: Sampler, weighting: Weighting) -> None:
    """Raise `ConfigError` for what sampler, weighting and batch size accept alone but not with one another."""
    if weighting.needs_every_task and not sampler.every_task_each_step:
        names = (
            f"weighting '{config.weighting.name}' needs every task in each step, which sampler '{config.sampler.name}'"
        )
        raise ConfigError([Fault("sampler", f"{names} does not give. Use sampler=all_tasks.")])
    try:
        sampler.counts(0, config.batch.size, np.random.default_rng(0))
    except ValueError as error:
        raise ConfigError([Fault("sampler", str(error))]) from error
