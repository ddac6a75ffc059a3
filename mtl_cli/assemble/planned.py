"""Last stage before the first step: who draws the rows, weighs the losses and updates the parameters, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from mtl_cli.assemble.built import Built
from mtl_cli.assemble.checks import check_chosen, check_scores, check_together
from mtl_cli.assemble.lambdas import Lambdas
from mtl_cli.assemble.length import evaluated_every
from mtl_cli.assemble.opened import Opened
from mtl_cli.assemble.sampling import begin_sampler
from mtl_cli.config.convert import Builder
from mtl_cli.config.schema import BatchSection, OptimSection
from mtl_cli.data.loader import Passes, StepLoader
from mtl_cli.data.sampler.base import Length, Sampler
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.optim.groups import Rates, adamw
from mtl_cli.optim.schedule import Schedule
from mtl_cli.train.loop import Settings
from mtl_cli.weighting.base import Weighting


@dataclass(frozen=True)
class StepPlan:
    """How the rows of each step are drawn and weighed; needs no model."""

    length: Length
    sampler: Sampler
    lambdas: Lambdas
    weighting: Weighting
    schedule: Schedule


@dataclass(frozen=True)
class Planned:
    """Everything that the loop needs of a config."""

    built: Built
    steps: StepPlan
    loader: StepLoader
    optimizer: torch.optim.AdamW
    settings: Settings


def plan_steps(opened: Opened) -> StepPlan:
    """Build sampler, weights, weighting and schedule.

    Raises:
        ConfigError: one of them, or two together, cannot work with these tasks and rows; everything that is wrong.
    """
    bound, length = opened.bound, opened.length
    config, names = bound.config, list(bound.tasks)
    faults: list[Fault] = []
    sampler: Sampler | None = _built(bound.sampler, faults, names, opened.sizes_K)
    schedule: Schedule | None = _built(bound.schedule, faults, length.steps)
    try:
        lambdas = Lambdas({name: config.weights[name] for name in names}, length)
    except ConfigError as error:
        raise ConfigError([*faults, *error.faults]) from error
    weighting: Weighting | None = _built(bound.weighting, faults, names, lambdas)
    if faults or sampler is None or schedule is None or weighting is None:
        raise ConfigError(faults)
    begin_sampler(config.sampler.name, sampler, bound.tasks, length)
    check_together(config, sampler, weighting, length)
    check_scores(bound.tasks, opened.validation, sampler, weighting)
    return StepPlan(length, sampler, lambdas, weighting, schedule)


def _built(builder: Builder, faults: list[Fault], *runtime: object) -> Any:
    """What a builder makes; None if it refuses, with the reason in `faults`."""
    try:
        return builder.build(*runtime)
    except ConfigError as error:
        faults.extend(error.faults)
    return None


def plan_training(built: Built, steps: StepPlan) -> Planned:
    """Add loader, optimiser and settings of the loop.

    Raises:
        ConfigError: weighting or diagnostics look at parameters that the model lacks, or nothing is left to train.
    """
    opened = built.opened
    config = opened.bound.config
    check_chosen(config, built.model, steps.weighting)
    world = built.fabric.world_size
    if config.batch.size < world:
        share = f"{config.batch.size} rows cannot be shared by {world} processes"
        raise ConfigError([Fault("batch.size", share)])
    placed = [one for one in built.placed() if one.parameter.requires_grad]
    optimizer = adamw(placed, opened.backbone.layers, _rates(config.optim), steps.weighting.parameters())
    by_task = steps.weighting.one_task_passes and len(opened.rows) > 1
    loader = StepLoader(
        opened.train,
        opened.chosen,
        steps.sampler,
        size=config.batch.size,
        window=config.batch.window,
        seed=config.seed,
        passes=pass_limits(config.batch, by_task=by_task, flat=opened.backbone.flat),
        rank=built.fabric.global_rank,
        world=world,
        preparing=opened.objectives,
    )
    settings = Settings(
        steps.length.steps,
        steps.length.epoch_steps,
        config.train.log_every,
        evaluated_every(config, steps.length),
        config.checkpoint.every,
        config.optim.bad_step,
    )
    return Planned(built, steps, loader, optimizer, settings)


_FLAT_TOKENS = 8192
"""Tokens a pass where nothing says less: far more than its matrix products need to be fast, and little enough for the memory."""


def pass_limits(batch: BatchSection, *, by_task: bool, flat: bool) -> Passes:
    """How a step is cut into passes.

    Args:
        batch: section of the config.
        by_task: whether each pass holds rows of one task alone.
        flat: whether the encoder takes rows without padding, so that nothing but memory speaks for more than one pass.
    """
    if flat:
        return Passes(None, batch.micro_size, batch.micro_tokens or _FLAT_TOKENS, by_task=by_task)
    return Passes(batch.pass_cost, batch.micro_size, batch.micro_tokens, by_task=by_task)


def _rates(o: OptimSection) -> Rates:
    return Rates(o.lr, o.lr if o.head_lr is None else o.head_lr, o.weight_decay, o.betas, o.eps, o.layer_decay)
