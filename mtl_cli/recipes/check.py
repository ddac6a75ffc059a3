"""`mtl check`: everything that training does before its first step, one batch a task, and no training."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mtl_cli.assemble.bound import bind_all
from mtl_cli.assemble.built import Built, build_model
from mtl_cli.assemble.data_facts import SetFacts, report_data
from mtl_cli.assemble.fabric import make_fabric, use_threads
from mtl_cli.assemble.opened import open_rows
from mtl_cli.assemble.planned import plan_steps, plan_training
from mtl_cli.config.schema_check import CheckConfig
from mtl_cli.data.batch import StepBatch
from mtl_cli.data.collate import RowRef, collate
from mtl_cli.recipes.check_step import before, step_table
from mtl_cli.report.table import text_table
from mtl_cli.train.step.passes import Passes


@dataclass(frozen=True)
class Checked:
    """What was found of one task."""

    name: str
    place: str
    rows: str
    labels: str
    tokens: str
    loss: float


def check(config: CheckConfig) -> str:
    """Bind every builder, read every row, run one batch a task, or look into a step.

    Returns:
        A table of what was found.

    Raises:
        ConfigError: with everything that is wrong, of all tasks together.
    """
    bound = bind_all(config)
    fabric = make_fabric(config.fabric)
    use_threads(config.fabric)
    torch.manual_seed(config.seed)
    opened = open_rows(bound, bound.backbone.build())
    steps = plan_steps(opened)
    facts = opened.facts()
    report_data(facts)
    checkpoint = None if config.step is None else before(config, config.step)
    built = build_model(opened, fabric, checkpoint)
    planned = plan_training(built, steps)
    if config.step is not None:
        return step_table(planned, config.step, checkpoint)
    return _table([_described(built, name, [one for one in facts if one.task == name]) for name in opened.rows])


def _first_loss(built: Built, name: str) -> float:
    """Loss of a task's first training rows, as many as a step has."""
    rows = built.opened.rows[name]
    chosen = rows.chosen_M[: built.opened.bound.config.batch.size]
    refs = [RowRef(name, int(i), int(n)) for i, n in zip(chosen, rows.train.lengths(chosen), strict=True)]
    one_pass = collate(refs, {name: rows.train}, built.opened.objectives, (built.opened.bound.config.seed, 5, 0))
    units = {name: int(rows.train.units_N[chosen].sum())}
    batch = StepBatch((one_pass,), units, len(refs), sum(ref.length for ref in refs))
    objectives = built.opened.objectives
    losses_K = Passes(built.model, objectives, batch, built.fabric).again()
    return float(losses_K[list(objectives).index(name)])


def _described(built: Built, name: str, facts: list[SetFacts]) -> Checked:
    rows_of, train = built.opened.rows[name], built.opened.rows[name].train
    place = train.origin.note or train.origin.place
    rows = "/".join(f"{one.used:,}" for one in facts)
    tokens = f"{train.meta.tokens / len(train):.0f}" + (
        f", {train.meta.truncated:,} cut" if train.meta.truncated else ""
    )
    labels = rows_of.kind.described(train.targets)
    return Checked(name, place, rows, labels, tokens, _first_loss(built, name))


def _table(found: list[Checked]) -> str:
    rows = [[c.name, c.place, c.rows, c.tokens, f"{c.loss:.4f}", c.labels] for c in found]
    return text_table(["task", "data", "train/validation rows", "tokens a row", "first loss", "labels of train"], rows)
