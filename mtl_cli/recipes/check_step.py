"""`mtl check step=N`: the rows of one step, their losses, and the first layer whose output is not finite."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtl_cli.assemble.planned import Planned
from mtl_cli.config.paths import outputs_dir
from mtl_cli.config.schema_check import CheckConfig
from mtl_cli.data.batch import Batch
from mtl_cli.errors import ConfigError, Fault, RunError
from mtl_cli.report.table import text_table
from mtl_cli.runs.checkpoint import Checkpoint, Checkpoints


@dataclass(frozen=True)
class RowLoss:
    """One row of a step."""

    task: str
    number: int
    """Of the row in its training set, from 0, as predictions count."""
    tokens: int
    loss: float
    """Mean over the row's units."""


@dataclass(frozen=True)
class StepLook:
    """What is found of a step."""

    rows: tuple[RowLoss, ...]
    """Those whose loss is not finite first, then by their loss, the largest first."""
    passes: int
    first_bad: str | None
    """Name of the first module, in the order of computation, whose output is not finite; None: all are."""


def before(config: CheckConfig, step: int) -> Checkpoint | None:
    """The run's newest whole checkpoint from before a step; None where `run.name` names no run, or it has none."""
    if config.run.name is None:
        return None
    checkpoints = Checkpoints(outputs_dir(config.run.outputs) / config.run.name / "checkpoints")
    for path in reversed(checkpoints.steps()):
        try:
            found = checkpoints.find(path.name)
        except (ConfigError, RunError):  # damaged: the one before it does as well
            continue
        if found.progress.step < step:
            return found
    return None


def step_table(planned: Planned, step: int, checkpoint: Checkpoint | None) -> str:
    """What is found of a step, as text.

    Raises:
        ConfigError: the step lies beyond the last one of the run.
    """
    if step > planned.settings.steps:
        raise ConfigError([Fault("step", f"the run has {planned.settings.steps} steps; found {step}")])
    found = look_into(planned, step, checkpoint)
    weights = "the first weights of the run" if checkpoint is None else f"the weights of {checkpoint.path}"
    head = f"step {step}: {len(found.rows)} rows in {found.passes} pass{'es' * (found.passes != 1)}, with {weights}, without dropout"
    table = text_table(
        ["task", "row of train", "tokens", "loss"],
        [[row.task, f"{row.number:,}", str(row.tokens), _shown(row.loss)] for row in found.rows],
    )
    finite = "the output of every layer is finite"
    last = finite if found.first_bad is None else f"first output that is not finite: {found.first_bad}"
    return f"{head}\n{table}\n{last}"


def _shown(loss: float) -> str:
    return f"{loss:.4f}" if math.isfinite(loss) else str(loss)


@torch.no_grad()
def look_into(planned: Planned, step: int, checkpoint: Checkpoint | None = None) -> StepLook:
    """Rebuild the batch of a step and run it through the model.

    Args:
        planned: the run; its model has the weights to look with.
        step: counted from 1.
        checkpoint: from before the step, where its samplers stood so. None: they begin anew.
    """
    loader, model = planned.loader, planned.built.model
    if checkpoint is not None:
        loader.load_state_dict(checkpoint.state["loader"])
    begin = 0 if checkpoint is None else checkpoint.progress.step
    for earlier in range(begin, step - 1):  # steps are asked for in order
        loader.step(earlier)
    batch = loader.step(step - 1)
    model.eval()
    rows: list[RowLoss] = []
    with _first_bad(model) as bad:
        for one in batch.passes:
            rows += _losses(planned, one)
    order = sorted(rows, key=lambda row: (math.isfinite(row.loss), -row.loss if math.isfinite(row.loss) else 0.0))
    return StepLook(tuple(order), len(batch.passes), bad[0] if bad else None)


def _losses(planned: Planned, one: Batch) -> Iterator[RowLoss]:
    built = planned.built
    objectives, lengths_B = built.opened.objectives, one.inputs.lengths_B
    one = one.to(built.fabric.device)
    with built.fabric.autocast():
        outputs = built.model(one)
    for part, output in zip(one.parts, outputs, strict=True):
        losses_B = objectives[part.task].loss(output.out, part.targets).float().cpu().tolist()
        columns = (part.numbers_B.tolist(), lengths_B[part.rows].tolist(), losses_B, part.units_B.tolist())
        for number, tokens, loss, units in zip(*columns, strict=True):
            yield RowLoss(part.task, int(number), int(tokens), loss / max(1, units))


@contextmanager
def _first_bad(model: nn.Module) -> Iterator[list[str]]:
    """Inside, the names of modules whose output is not finite are collected, innermost first, in the order of computation."""
    bad: list[str] = []

    def watch(name: str) -> Any:
        def look(_: nn.Module, __: Any, output: Any) -> None:
            if isinstance(output, Tensor) and not bool(output.isfinite().all()):
                bad.append(name)

        return look

    handles = [module.register_forward_hook(watch(name)) for name, module in model.named_modules() if name]
    try:
        yield bad
    finally:
        for handle in handles:
            handle.remove()
