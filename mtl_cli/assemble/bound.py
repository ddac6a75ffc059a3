"""First stage of a run: its config, and the builder of each open family that it names."""

from __future__ import annotations

from dataclasses import dataclass

from mtl_cli.assemble.tasks import BoundTask, bind_tasks, head_names
from mtl_cli.config.convert import Builder, bind
from mtl_cli.config.schema import TrainConfig
from mtl_cli.errors import ConfigError, Fault


@dataclass(frozen=True)
class Bound:
    """A config whose every name and option is known to be valid; nothing is built or read yet."""

    config: TrainConfig
    backbone: Builder
    sharing: Builder
    weighting: Builder
    sampler: Builder
    schedule: Builder
    tasks: dict[str, BoundTask]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tasks, in the order of every K axis."""
        return tuple(self.tasks)

    @property
    def heads(self) -> dict[str, str]:
        """Name of each task's head."""
        return head_names(self.tasks)


def bind_all(config: TrainConfig) -> Bound:
    """Bind every builder of a config. Raises `ConfigError` with all faults of all families."""
    faults: list[Fault] = []
    families = ("backbone", "sharing", "weighting", "sampler", "schedule")
    builders = {family: bind(family, getattr(config, family), faults, family) for family in families}
    tasks = bind_tasks(config.tasks, config.data.max_length, faults)
    if faults:
        raise ConfigError(faults)
    return Bound(config=config, tasks=tasks, **{name: b for name, b in builders.items() if b is not None})
