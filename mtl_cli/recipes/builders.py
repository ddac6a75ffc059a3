"""The builders that a training config names."""

from __future__ import annotations

from dataclasses import dataclass

from mtl_cli.config.convert import Bound, bind
from mtl_cli.config.schema import TrainConfig
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.recipes.prepare import BoundTask, bind_tasks


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
