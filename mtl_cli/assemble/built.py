"""Third stage of a run: the model, with the weights of a checkpoint if there is one, frozen and on its device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning_fabric import Fabric

from mtl_cli.assemble.opened import Opened
from mtl_cli.assemble.weights import load_weights
from mtl_cli.config.convert import Builder
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.objectives.base import Objective
from mtl_cli.optim.groups import Placed, freeze
from mtl_cli.runs.checkpoint import Checkpoint


@dataclass(frozen=True)
class Built:
    """A model that can be run; nothing is trained yet."""

    opened: Opened
    model: MultiTaskModel
    fabric: Fabric

    def placed(self) -> list[Placed]:
        """Every parameter with its name and its layer."""
        return [Placed(p, name, self.model.depth(name)) for name, p in self.model.named_parameters()]


def make_model(
    sharing: Builder,
    backbone: Backbone,
    objectives: Mapping[str, Objective],
    heads: Mapping[str, str],
    seed: int,
    checkpoint: Checkpoint | None,
) -> MultiTaskModel:
    """A sharing scheme and its heads.

    Args:
        sharing: builder of the scheme.
        backbone: the encoder.
        objectives: by task; they say which heads are needed.
        heads: name of each task's head.
        seed: of the heads' first weights.
        checkpoint: whose weights the model takes.

    Raises:
        ConfigError: the scheme does not fit the encoder or the tasks, or the checkpoint does not fit the model.
        RunError: the checkpoint is damaged.
    """
    scheme = sharing.build(backbone, list(objectives))
    model = MultiTaskModel(scheme, {name: one.head for name, one in objectives.items()}, seed, heads)
    if checkpoint is not None:
        load_weights(model, checkpoint)
    return model


def build_model(opened: Opened, fabric: Fabric, checkpoint: Checkpoint | None = None) -> Built:
    """Build the model of a run on its device, without the parts that `optim.freeze` leaves as they are.

    Raises:
        ConfigError, RunError: as `make_model`; or the encoder has fewer layers than are to be frozen.
    """
    bound, config = opened.bound, opened.bound.config
    model = make_model(bound.sharing, opened.backbone, opened.objectives, bound.heads, config.seed, checkpoint)
    built = Built(opened, model, fabric)
    freeze(built.placed(), opened.backbone.layers, config.optim.freeze)
    fabric.to_device(model)
    return built


def start_training_mode(built: Built) -> None:
    """Turn dropout on, and gradient checkpointing and compilation where the config has them."""
    section = built.opened.bound.config.train
    encoders: list[Any] = [one.encoder for one in built.model.sharing.backbones]
    if section.gradient_checkpointing:
        for encoder in encoders:
            encoder.gradient_checkpointing_enable()
    built.model.train()
    if section.compile:
        for encoder in encoders:
            encoder.compile(dynamic=True)
