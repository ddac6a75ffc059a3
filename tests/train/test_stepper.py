"""The standard step: what it records, and what it says of a step that cannot be used."""

import math

import numpy as np
import pytest
import torch

from mtl_cli.data.loader import Passes, StepLoader
from mtl_cli.data.sampler.all_tasks import AllTasks
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.model.sharing.hard import HardSharing
from mtl_cli.optim.groups import Placed, Rates, adamw
from mtl_cli.optim.schedule import Linear
from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.kinds.regression import Regression
from mtl_cli.train.step.base import UnusableStep
from mtl_cli.train.step.standard import StandardStepper
from mtl_cli.weighting.static import Static
from tests.fakes import cpu, encoded, tiny_backbone

KINDS = {"a": Classification(labels=["n", "y"]), "b": Regression(scale="none")}


def stepper(labels=(0.5, 1.0, 2.0, 0.0), clip_norm=1.0):
    torch.manual_seed(0)
    backbone = tiny_backbone()
    sets = {
        "a": encoded(backbone, ["one", "two", "three", "four"], [0, 1, 1, 0]),
        "b": encoded(backbone, ["x", "yy", "zzz", "vvvv"], labels),
    }
    sharing = HardSharing(backbone, list(sets), head_dropout=0.0)
    model = MultiTaskModel(sharing, {name: kind.head for name, kind in KINDS.items()}, 0)
    optimizer = adamw(
        [Placed(p, n, None) for n, p in model.trained()], 2, Rates(1e-3, 1e-3, 0.0, (0.9, 0.99), 1e-8, 1.0), iter(())
    )
    sampler = AllTasks(list(sets), [4, 4])
    rows = {name: np.arange(4) for name in sets}
    loader = StepLoader(sets, rows, sampler, size=8, window=1, passes=Passes(None, None, None), seed=0)
    made = StandardStepper(
        model=model, losses=KINDS, weighting=Static(list(sets), lambda _: [1.0, 1.0]), optimizer=optimizer,
        schedule=Linear(10, warmup=0.0), loader=loader, clip_norm=clip_norm, diagnostics=None, fabric=cpu(),
    )  # fmt: skip
    return made, model


def unheard(*_):
    raise AssertionError("nobody looks")


def test_a_step_is_recorded_with_the_losses_before_it():
    made, _ = stepper()
    first, second = made.step(0, unheard), made.step(1, unheard)
    assert set(first.losses) == {"a", "b"}
    assert first.losses["a"] == pytest.approx(math.log(2), abs=0.2)
    assert second.losses["b"] < first.losses["b"]
    assert (first.rows, first.tokens) == (8, 2 * 8 + len("onetwothreefour") + len("xyyzzzvvvv"))
    assert first.weights == {"a": 1.0, "b": 1.0}


def test_a_loss_that_is_no_number_names_the_rows_and_changes_nothing():
    made, model = stepper(labels=(0.5, 1.0, math.inf, 0.0))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with pytest.raises(UnusableStep) as caught:
        made.step(0, unheard)
    bad = caught.value
    assert (bad.subject, bad.finding, bad.task, bad.rows) == ("loss", "is inf", "b", (2,))
    assert all(torch.equal(p, before[name]) and p.grad is None for name, p in model.named_parameters())


def test_weights_that_are_no_numbers_are_at_fault_at_no_row():
    made, model = stepper()
    with torch.no_grad():
        next(model.head("b").parameters()).fill_(math.nan)
    with pytest.raises(UnusableStep) as caught:
        made.step(0, unheard)
    assert (caught.value.task, caught.value.rows) == ("b", ())


def test_a_saved_state_goes_on_bit_for_bit():
    one, first = stepper()
    one.step(0, unheard)
    state, weights = one.state_dict(), {k: v.clone() for k, v in first.state_dict().items()}
    tensors = {k: v.clone() for k, v in state.tensors.items()}
    one.step(1, unheard)
    other, second = stepper()
    second.load_state_dict(weights)
    other.load_state_dict(tensors, state.values)
    other.step(1, unheard)
    assert all(torch.equal(v, second.state_dict()[k]) for k, v in first.state_dict().items())


def test_losses_may_be_anything_that_gives_one_a_row():
    class Half:
        def loss(self, out, targets):
            return KINDS["a"].loss(Column(out.values), targets) / 2

    made, _ = stepper()
    whole = made.step(0, unheard).losses["a"]
    again, _ = stepper()
    again._losses = {**KINDS, "a": Half()}
    assert again.step(0, unheard).losses["a"] == pytest.approx(whole / 2)
