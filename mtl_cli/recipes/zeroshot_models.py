"""Backbone or run of a zero-shot question, opened for its engine."""

from __future__ import annotations

import dataclasses
import functools
import logging

import torch
from torch import Tensor

from mtl_cli.config.convert import Bound
from mtl_cli.config.schema import ZeroshotConfig
from mtl_cli.data.batch import Batch, Part
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.multitask import TaskOutput
from mtl_cli.recipes.fabric import make_fabric
from mtl_cli.recipes.stored import StoredRun, open_stored
from mtl_cli.zeroshot.encoder import TextEncoder
from mtl_cli.zeroshot.models import Classifier, Head, Models

log = logging.getLogger(__name__)


class AskedModels(Models):
    """What the config of a question names.

    Args:
        config: of the question.
        backbone: its builder; None if a run stands in its place.
    """

    def __init__(self, config: ZeroshotConfig, backbone: Bound | None) -> None:
        self._config, self._backbone = config, backbone
        self.fabric = make_fabric(config.fabric)
        self.max_length, self.batch_tokens = config.max_length, config.batch_tokens
        self.several = config.decide.multi_label

    def encoder(self) -> TextEncoder:
        """The encoder of the run, or the backbone."""
        torch.manual_seed(self._config.seed)
        backbone: Backbone = self._backbone.build() if self._backbone else self._trained()
        log.info("encoder  %s", backbone.identity)
        return TextEncoder(backbone, self.fabric, max_length=self.max_length, batch_tokens=self.batch_tokens)

    def heads(self) -> tuple[Head, ...]:
        """Heads of the run; none if no run was named."""
        if self._config.run is None:
            return ()
        tasks = self._run.tasks()
        return tuple(Head(name, tuple(b.task.kind.classes), len(b.task.text) > 1) for name, b in tasks.items())

    def head(self, task: str) -> Classifier:
        """The run's model with the head of one task."""
        run = self._run
        kinds = {name: bound.task.kind for name, bound in run.tasks().items()}
        backbone = run.backbone()
        model = run.model(backbone, kinds, self.fabric)
        identity = f"{run.identity}, head {task}"
        log.info("head     %s", identity)

        def forward(batch: Batch) -> Tensor:
            no_labels_B = torch.full((batch.rows,), torch.nan)
            whole = dataclasses.replace(batch, parts=(Part(task, slice(0, batch.rows), no_labels_B),))
            output: TaskOutput = model(whole)[0]
            return output.out_BC

        return Classifier(forward, backbone.tokenizer, tuple(kinds[task].classes), backbone.max_length, identity)

    @functools.cached_property
    def _run(self) -> StoredRun:
        return open_stored(str(self._config.run), self._config.checkpoint)

    def _trained(self) -> Backbone:
        run = self._run
        if len(run.encoder_tasks) < len(run.config.tasks):
            first = ", ".join(run.encoder_tasks)
            log.info("groups   of the run's encoders, this is the one of its first group: %s", first)
        return run.backbone()
