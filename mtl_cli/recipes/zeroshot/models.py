"""Backbone or run of a zero-shot question, opened for its engine."""

from __future__ import annotations

import functools
import inspect
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtl_cli.assemble.fabric import make_fabric, use_threads
from mtl_cli.assemble.stored import StoredRun, open_stored
from mtl_cli.config.compose import quoted
from mtl_cli.config.convert import Builder, bind
from mtl_cli.config.paths import cache_dir
from mtl_cli.config.question import Question
from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.config.unused import unused_keys
from mtl_cli.data.batch import Batch, Part
from mtl_cli.data.text import TextInputs
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.multitask import TaskOutput
from mtl_cli.tasks.task import Task
from mtl_cli.zeroshot.scoring.cache import Cache
from mtl_cli.zeroshot.scoring.encoder import TextEncoder
from mtl_cli.zeroshot.scoring.method import Method
from mtl_cli.zeroshot.scoring.models import Classifier, Head, Layout, Member, Models, StandIn, weights_digest

log = logging.getLogger(__name__)

_KERNELS = ("MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")
"""Environment variables that choose how the libraries multiply matrices."""


@dataclass(frozen=True)
class BoundEngine:
    """The builders of an engine and its prior."""

    method: Builder
    prior: Builder
    verbalizer: Builder


def _layout(task: Task) -> Layout:
    return "packed" if task.input.packs else "joint"


def _head(name: str, tasks: Sequence[Task]) -> Head:
    first = tasks[0]
    shared = tuple(task.name for task in tasks)
    pairs = any(len(task.text) > 1 for task in tasks)
    return Head(name, tuple(first.kind.classes), pairs, _layout(first), () if shared == (name,) else shared)


def bound_engine(config: ZeroshotConfig) -> BoundEngine:
    """Bind what makes an engine, and the backbone if it may be asked for. Raises `ConfigError` with all faults."""
    faults: list[Fault] = []
    if config.run is None:
        bind("backbone", config.backbone, faults, "backbone")
    method, prior = bind("method", config.method, faults, "method"), bind("prior", config.prior, faults, "prior")
    verbalizer = bind("verbalizer", config.verbalizer, faults, "verbalizer")
    if faults or method is None or prior is None or verbalizer is None:
        raise ConfigError(faults)
    return BoundEngine(method, prior, verbalizer)


def settled(question: Question) -> Question:
    """The question with the engine that its own one stands for, which is told."""
    config = question.config()
    engine = bound_engine(config).method
    if not (inspect.isclass(engine.builder) and issubclass(engine.builder, StandIn)):
        return question
    stand_in: StandIn = engine.build(AskedModels(question, config))
    found = stand_in.means()
    log.info("method   %s", found.why)
    chosen = [f"{group}={name}" for group, name in found.choices.items()]
    return question.with_engine([*chosen, *(f"{key}={quoted(value)}" for key, value in found.values.items())])


def warn_of_unused(config: ZeroshotConfig, given: Iterable[str]) -> None:
    """Report keys that are given and change nothing in this call."""
    for key, why in unused_keys(config, given):
        log.warning("%s has no effect: %s", key, why)


class AskedModels(Models):
    """What the config of a question names.

    Args:
        question: as it was asked.
        config: of the question.
    """

    def __init__(self, question: Question, config: ZeroshotConfig) -> None:
        self._question, self._config = question, config
        self.fabric = make_fabric(config.fabric)
        use_threads(config.fabric)
        self.max_length, self.batch_tokens = config.max_length, config.batch_tokens
        self.several = config.decide.multi_label
        self.templates = tuple(config.templates)
        self.cache = Cache(cache_dir() / "zeroshot", self.arithmetic) if config.cache else None
        self.offline = cache_dir() / "offline"
        self.uses_backbone = False
        """Whether an engine has asked for the encoder, so far."""

    def arithmetic(self) -> str:
        """Everything but texts and model that the last bits of a score depend on, as far as we know it."""
        device = self.fabric.device
        where = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
        threads = torch.get_num_threads()
        batches = f"precision {self._config.fabric.precision}, batch_tokens {self.batch_tokens}, rows end to end"
        set_by_hand = "".join(f", {name}={os.environ[name]}" for name in _KERNELS if name in os.environ)
        return f"torch {torch.__version__} on {device.type} {where}{set_by_hand}, threads {threads}, {batches}"

    def encoder(self) -> TextEncoder:
        """The encoder of the run, or the backbone."""
        torch.manual_seed(self._config.seed)
        self.uses_backbone = True
        backbone: Backbone = self._trained() if self._config.run is not None else self._named()
        log.info("encoder  %s", backbone.identity)
        return TextEncoder(backbone, self.fabric, max_length=self.max_length, batch_tokens=self.batch_tokens)

    def heads(self) -> tuple[Head, ...]:
        """Heads of the run; none if no run was named."""
        if self._config.run is None:
            return ()
        tasks = [bound.task for bound in self._run.tasks().values() if bound.scored]
        of_head = {name: tuple(t for t in tasks if t.head_name == name) for name in self._run.heads.values()}
        return tuple(_head(name, sharing) for name, sharing in of_head.items() if sharing)

    def head(self, task: str) -> Classifier:
        """The run's model with the head of one task, or of several by the head's name."""
        run = self._run
        task = next((t for t, name in run.heads.items() if name == task), task)
        tasks = {name: bound.task for name, bound in run.tasks().items()}
        kinds = {name: one.kind for name, one in tasks.items()}
        backbone = run.backbone()
        model = run.model(backbone, self.fabric)
        identity = f"{run.identity}, head {run.heads[task]}"
        log.info("head     %s", identity)

        def forward(inputs: TextInputs) -> Tensor:
            numbers_B = np.arange(inputs.rows)
            whole = Batch(inputs, (Part(task, slice(0, inputs.rows), numbers_B, np.zeros_like(numbers_B)),))
            if layout == "packed":
                return model.each(whole)
            output: TaskOutput = model(whole)[0]
            return output.out.values

        def digest() -> str:
            # The run's weights are those of all its heads: which of them is asked must be told beside.
            return f"{weights_digest(model)} {run.heads[task]}"

        classes, layout = tuple(kinds[task].classes), _layout(tasks[task])
        return Classifier(forward, backbone.tokenizer, classes, backbone.max_length, identity, digest, layout)

    @functools.cached_property
    def _run(self) -> StoredRun:
        return open_stored(str(self._config.run), self._config.checkpoint, trust=self._config.trust)

    def member(self, overrides: Sequence[str]) -> Member:
        """Another engine for the same question."""
        question = self._question.with_engine(overrides)
        config = question.config()
        bound = bound_engine(config)
        models = AskedModels(question, config)
        method: Method = bound.method.build(models)
        self.uses_backbone |= models.uses_backbone
        return Member(config.method.name, method, bound.prior.build(), tuple(config.templates))

    def _named(self) -> Backbone:
        faults: list[Fault] = []
        bound = bind("backbone", self._config.backbone, faults, "backbone")
        if bound is None:
            raise ConfigError(faults)
        built: Backbone = bound.build()
        return built

    def _trained(self) -> Backbone:
        run = self._run
        if len(run.encoder_tasks) < len(run.config.tasks):
            first = ", ".join(run.encoder_tasks)
            log.info("groups   of the run's encoders, this is the one of its first group: %s", first)
        return run.backbone()
