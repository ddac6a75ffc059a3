"""A step looked into: the rows that training would meet, and where numbers stop being numbers."""

import math

import pytest
import torch

from mtl_cli.assemble.bound import bind_all
from mtl_cli.assemble.built import build_model
from mtl_cli.assemble.fabric import make_fabric
from mtl_cli.assemble.opened import open_rows
from mtl_cli.assemble.planned import plan_steps, plan_training
from mtl_cli.config.compose import compose
from mtl_cli.config.convert import convert_or_raise
from mtl_cli.config.schema_check import CheckConfig
from mtl_cli.errors import ConfigError
from mtl_cli.recipes.check_step import look_into, step_table

WORDS = (
    "backbone=tiny",
    "task=[rte,stsb]",
    "data.source=bundled",
    "data.max_length=64",
    "train.steps=6",
    "batch.size=8",
)


@pytest.fixture
def planned(tmp_path):
    """A run that is ready for its first step; the same one each time."""

    def make():
        config = convert_or_raise(CheckConfig, compose("check", [*WORDS, f"data.cache={tmp_path}"]).values)
        bound, fabric = bind_all(config), make_fabric(config.fabric)
        torch.manual_seed(config.seed)
        opened = open_rows(bound, bound.backbone.build())
        return plan_training(build_model(opened, fabric), plan_steps(opened))

    return make


def rows_of(batch):
    return sorted((part.task, int(n)) for one in batch.passes for part in one.parts for n in part.numbers_B)


def test_the_rows_are_those_that_training_meets_at_that_step(planned):
    run, other = planned(), planned()
    batches = [run.loader.step(n) for n in range(4)]
    found = look_into(other, 4)
    assert sorted((row.task, row.number) for row in found.rows) == rows_of(batches[3])
    assert sum(row.tokens for row in found.rows) == batches[3].tokens
    assert found.first_bad is None


def test_losses_are_the_step_s_own(planned):
    run = planned()
    found = look_into(run, 1)
    by_task = {task: [row.loss for row in found.rows if row.task == task] for task in ("rte", "stsb")}
    from mtl_cli.train.step.passes import Passes

    again = planned()
    losses_K = Passes(
        again.built.model.eval(), again.built.opened.objectives, again.loader.step(0), again.built.fabric
    ).again()
    assert [sum(one) / len(one) for one in by_task.values()] == pytest.approx(losses_K.tolist(), rel=1e-5)
    assert [row.loss for row in found.rows] == sorted((row.loss for row in found.rows), reverse=True)


def test_the_first_layer_whose_output_is_not_finite_is_named_and_bad_rows_come_first(planned):
    run = planned()
    layer = run.built.model.sharing.backbone.encoder.encoder.layer[1]
    with torch.no_grad():
        layer.intermediate.dense.weight.fill_(math.nan)
    found = look_into(run, 2)
    assert found.first_bad == "sharing.shared.encoder.encoder.layer.1.intermediate.dense"
    assert all(math.isnan(row.loss) for row in found.rows)


def test_the_table_says_with_which_weights_it_looks(planned):
    lines = step_table(planned(), 3, None).splitlines()
    assert lines[0] == "step 3: 8 rows in 1 pass, with the first weights of the run, without dropout"
    assert lines[-1] == "the output of every layer is finite"
    assert len(lines) == 2 + 2 + 8


def test_a_step_behind_the_last_one_is_refused(planned):
    with pytest.raises(ConfigError, match="step: the run has 6 steps; found 7"):
        step_table(planned(), 7, None)
