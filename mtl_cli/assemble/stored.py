"""A trained run, opened again: its config, encoder, heads."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from mtl_cli.assemble.built import make_model
from mtl_cli.assemble.data_facts import recorded_readings
from mtl_cli.assemble.objectives import build_objectives
from mtl_cli.assemble.tasks import BoundTask, bind_tasks
from mtl_cli.assemble.trained import trained_config
from mtl_cli.config.convert import bind, convert_or_raise
from mtl_cli.config.schema import TrainConfig
from mtl_cli.config.trust import stored_values
from mtl_cli.errors import ConfigError, Fault, RunError
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.backbone.pretrained import load
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.objectives.base import Objective
from mtl_cli.runs.checkpoint import Checkpoint, Checkpoints
from mtl_cli.runs.formats import read_environment
from mtl_cli.runs.place import Place
from mtl_cli.tasks.kinds.column import Reading


@dataclass(frozen=True)
class StoredRun:
    """A run folder and one of its checkpoints."""

    path: Path
    config: TrainConfig
    checkpoint: Checkpoint
    place: Place
    """The folder as it was opened; to be checked before anything is written into it."""

    @property
    def identity(self) -> str:
        """Run and checkpoint, for records."""
        return f"{self.path}/checkpoints/{self.checkpoint.path.name}"

    @property
    def encoder_tasks(self) -> tuple[str, ...]:
        """Tasks whose rows went through the encoder of the checkpoint: those of the first group if there are groups."""
        groups: Any = self.config.sharing.options.get("groups")
        return tuple(groups[0] if groups else self.config.tasks)

    @property
    def heads(self) -> dict[str, str]:
        """Name of each task's head."""
        return {name: task.head or name for name, task in self.config.tasks.items()}

    def backbone(self) -> Backbone:
        """The encoder of the checkpoint, pooled as in training."""
        pooling: Any = self.config.backbone.options.get("pooling", "mean")
        return load(str(self.checkpoint.encoder), pooling, self.identity, "run")

    def tasks(self) -> dict[str, BoundTask]:
        """The run's tasks, with kinds as they were fitted to the training labels."""
        faults: list[Fault] = []
        bound = bind_tasks(self.config.tasks, self.config.data.max_length, faults)
        if faults:
            raise ConfigError(faults)
        states = self.checkpoint.progress.kinds
        lacking = [name for name in bound if name not in states]
        if lacking:
            raise ConfigError(
                f"checkpoint: {self.checkpoint.path} is of another run: it has no head for {', '.join(lacking)}"
            )
        try:
            return {
                n: dataclasses.replace(b, task=b.task.with_kind(b.task.kind.restored(states[n])))
                for n, b in bound.items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(
                f"checkpoint {self.checkpoint.path} is damaged: state.json does not say what its heads were fitted to"
            ) from error

    def readings(self) -> dict[str, Reading]:
        """How the labels of the training rows were read, by task; nothing where the run did not record it."""
        has_record = (self.path / "env.json").exists()
        return recorded_readings(read_environment(self.path).data) if has_record else {}

    def objectives(self, backbone: Backbone) -> dict[str, Objective]:
        """What each task was trained for."""
        tasks = self.tasks()
        return build_objectives(tasks, {name: one.task.kind for name, one in tasks.items()}, backbone)

    def model(self, backbone: Backbone, fabric: Fabric) -> MultiTaskModel:
        """The whole model with the checkpoint's weights, in evaluation mode."""
        faults: list[Fault] = []
        sharing = bind("sharing", self.config.sharing, faults, "sharing")
        if sharing is None:
            raise ConfigError(faults)
        model = make_model(sharing, backbone, self.objectives(backbone), self.heads, self.config.seed, self.checkpoint)
        fabric.to_device(model).eval()
        return model


def open_stored(run: str, checkpoint: str, *, trust: bool) -> StoredRun:
    """Open a run folder.

    Args:
        run: the folder.
        checkpoint: best, last, a step or a folder.
        trust: whether code that the run's config names may run (`config.trust`).

    Raises:
        ConfigError: there is no run or no such checkpoint, or its config names code and is not trusted.
        RunError: the checkpoint is damaged.
    """
    path = Path(run).expanduser()
    config = convert_or_raise(TrainConfig, stored_values(trained_config(run), path, trust=trust))
    return StoredRun(path, config, Checkpoints(path / "checkpoints").find(checkpoint), Place.of(path))
