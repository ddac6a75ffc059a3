import copy

import numpy as np
import pytest
import torch
from torch import nn

from mtl_cli.data.batch import Batch, Part, StepBatch
from mtl_cli.data.text import TextInputs
from mtl_cli.model.multitask import MultiTaskModel, TaskOutput
from mtl_cli.model.sharing.hard import HardSharing
from mtl_cli.optim.groups import Placed, Rates, adamw, set_rates
from mtl_cli.optim.schedule import Linear
from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.kinds.regression import Regression
from mtl_cli.tasks.kinds.single import LABEL
from mtl_cli.train.step.passes import Passes, share_gradients
from mtl_cli.weighting.base import Chosen
from mtl_cli.weighting.static import Static
from tests.fakes import cpu, encoded, one_step, single_B, tiny_backbone

KINDS = {
    "a": Classification(labels=["n", "y"]),
    "b": Classification(labels=["x", "y", "z"]),
    "c": Regression(scale="none"),
}
TEXTS = {"a": ["short", "a longer one", "mid size"], "b": ["b", "bb bb"], "c": ["number one", "two", "the third", "4"]}
LABELS = {"a": [0, 1, 1], "b": [2, 0], "c": [0.5, -1.0, 2.0, 0.0]}
LAMBDAS = torch.tensor([0.5, 2.0, 1.5])


class Line(nn.Module):
    """One weight: the output of a row is w times its only token; no encoder."""

    def __init__(self, weight, penalty=False):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(weight))
        self.sharing, self.penalised = self, penalty

    def forward(self, batch):
        return tuple(TaskOutput(p.task, Column(self.w * batch.inputs.ids_T[p.rows, None].float())) for p in batch.parts)

    def penalty(self):
        return self.w**2 if self.penalised else None


class Ranks:
    """Two processes, by their sums: `all_reduce` adds what the other process had."""

    world_size = 2
    device = torch.device("cpu")

    def __init__(self, other=None, first=True):
        self.other, self.sent, self.is_global_zero = other, None, first

    def all_reduce(self, tensor, reduce_op):
        assert reduce_op == "sum"
        self.sent = tensor.clone()
        return tensor if self.other is None else tensor + self.other

    def autocast(self):
        return cpu().autocast()

    def backward(self, loss):
        loss.backward()


def line_pass(**rows):
    """Rows of regression tasks: a list of (token, label) each."""
    tokens = [token for one in rows.values() for token, _ in one]
    parts, at = [], 0
    for task, one in rows.items():
        labels = Column(torch.tensor([float(label) for _, label in one]))
        parts.append(Part(task, slice(at, at + len(one)), np.arange(len(one)), np.ones(len(one)), {LABEL: labels}))
        at += len(one)
    return Batch(TextInputs.of([np.array([token]) for token in tokens]), tuple(parts))


def model_and_sets(tasks="abc", seed=0):
    torch.manual_seed(seed)
    sharing = HardSharing(tiny_backbone(), list(tasks), head_dropout=0.0)
    model = MultiTaskModel(sharing, {t: KINDS[t].head for t in tasks}, seed)
    return model, {t: encoded(sharing.backbone, TEXTS[t], LABELS[t]) for t in tasks}


def gradients(model):
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def after(model, step, kinds=KINDS, weights=LAMBDAS, fabric=None):
    """Losses and gradients of a fresh copy of the model."""
    copied = copy.deepcopy(model)
    weighted = Passes(copied, kinds, step, fabric or cpu()).accumulate(weights)
    return weighted, copied


def assert_close(one, other, atol=1e-6):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=atol, rtol=1e-5, msg=name)


CUTS = [
    [[line_pass(a=[(1, 0), (2, 0), (3, 0)], b=[(2, 0)])]],
    [[line_pass(a=[(1, 0)]), line_pass(a=[(2, 0), (3, 0)], b=[(2, 0)])]],
    [[line_pass(b=[(2, 0)]), line_pass(a=[(3, 0)]), line_pass(a=[(1, 0)]), line_pass(a=[(2, 0)])]],
]


@pytest.mark.parametrize("cut", CUTS)
def test_losses_and_gradient_are_those_worked_out_by_hand_however_the_step_is_cut(cut):
    model, kinds = Line(1.0), {"a": Regression(scale="none"), "b": Regression(scale="none")}
    step = StepBatch(tuple(cut[0]), {"a": 3, "b": 1}, 4)
    weighted = Passes(model, kinds, step, cpu()).accumulate(torch.tensor([0.5, 2.0]))
    assert weighted.losses_K.tolist() == pytest.approx([14 / 3, 4.0])
    assert weighted.weights_K.tolist() == [0.5, 2.0]
    assert weighted.penalty is None
    assert model.w.grad.item() == pytest.approx(0.5 * 28 / 3 + 2.0 * 8.0)


def test_a_penalty_of_the_scheme_is_added_once_to_the_weighted_sum():
    model, kinds = Line(3.0, penalty=True), {"a": Regression(scale="none")}
    step = StepBatch((line_pass(a=[(1, 0)]), line_pass(a=[(1, 0)])), {"a": 2}, 2)
    weighted = Passes(model, kinds, step, cpu()).accumulate(torch.tensor([0.5]))
    assert weighted.penalty.item() == pytest.approx(9.0)
    assert model.w.grad.item() == pytest.approx(0.5 * 6.0 + 6.0)


def test_the_penalty_of_two_processes_is_that_of_one():
    kinds, step = {"a": Regression(scale="none")}, {"a": 2}
    grads = []
    for _ in range(2):
        model = Line(3.0, penalty=True)
        Passes(model, kinds, StepBatch((line_pass(a=[(1, 0)]),), step, 1), Ranks()).accumulate(torch.tensor([0.5]))
        grads.append(model.w.grad.item())
    assert sum(grads) == pytest.approx(0.5 * 6.0 + 6.0)


@pytest.mark.parametrize("seed", range(4))
def test_gradients_do_not_depend_on_the_cut_into_passes(seed):
    model, sets = model_and_sets()
    whole = one_step(sets)
    order = np.random.default_rng(seed).permutation(9)
    pieces = one_step(sets, [p.tolist() for p in np.split(order, sorted({1 + seed, 5, 8}))])
    (one, whole_model), (other, cut_model) = after(model, whole), after(model, pieces)
    torch.testing.assert_close(one.losses_K, other.losses_K, atol=1e-6, rtol=1e-6)
    assert_close(gradients(whole_model), gradients(cut_model))


@pytest.mark.parametrize("passes", [None, [[0, 3], [1, 2, 8], [4, 5, 6, 7]]])
def test_forward_and_pull_are_accumulate_with_the_losses_known_first(passes):
    model, sets = model_and_sets()
    step = one_step(sets, passes)
    weighted, first = after(model, step)
    second = copy.deepcopy(model)
    run = Passes(second, KINDS, step, cpu())
    losses_K = run.forward()
    assert not losses_K.requires_grad
    pulled = run.pull(LAMBDAS)
    torch.testing.assert_close(weighted.losses_K, losses_K, atol=1e-6, rtol=0)
    torch.testing.assert_close(weighted.losses_K, pulled.losses_K, atol=1e-6, rtol=0)
    assert pulled.weights_K.tolist() == LAMBDAS.tolist()
    assert_close(gradients(first), gradients(second))


def test_each_loss_is_the_mean_over_all_rows_of_its_task():
    model, sets = model_and_sets()
    weighted, _ = after(model, one_step(sets, [[0, 3, 4], [1, 5, 6], [2, 7, 8]]))
    for k, task in enumerate("abc"):
        with torch.no_grad():
            rows = [
                model(one_step({task: encoded(model.sharing.backbone, [t], [0])}).passes[0])[0].out.values
                for t in TEXTS[task]
            ]
        expected = KINDS[task].loss(Column(torch.cat(rows)), single_B(LABELS[task])).mean()
        torch.testing.assert_close(weighted.losses_K[k], expected, atol=1e-5, rtol=0)


def test_a_task_without_rows_has_loss_nan_and_no_gradient():
    model, sets = model_and_sets()
    del sets["b"]
    weighted, copied = after(model, one_step(sets))
    assert torch.isnan(weighted.losses_K).tolist() == [False, True, False]
    assert all(p.grad is None for p in copied.head("b").parameters())
    assert all(torch.isfinite(g).all() for g in gradients(copied).values())


def test_a_task_without_rows_may_have_any_weight():
    model, sets = model_and_sets()
    del sets["b"]
    step = one_step(sets)
    _, first = after(model, step)
    run = Passes(model, KINDS, step, cpu())
    assert torch.isnan(run.forward()).tolist() == [False, True, False]
    run.pull(torch.where(torch.arange(3) == 1, torch.inf, LAMBDAS))
    assert_close(gradients(first), gradients(model))
    assert all(p.grad is None for p in model.head("b").parameters())


def test_a_weight_of_zero_leaves_the_head_as_it_is_and_still_tells_the_loss():
    model, sets = model_and_sets()
    weighted, copied = after(model, one_step(sets), weights=torch.tensor([1.0, 0.0, 1.0]))
    assert weighted.losses_K[1] > 0
    assert not any(p.grad.any() for p in copied.head("b").parameters())


def test_another_step_adds_to_the_gradient():
    model, sets = model_and_sets()
    step = one_step(sets)
    _, once = after(model, step)
    for _ in range(2):
        Passes(model, KINDS, step, cpu()).accumulate(LAMBDAS)
    assert_close({n: 2 * g for n, g in gradients(once).items()}, gradients(model), atol=1e-5)


def test_two_processes_have_the_gradient_and_losses_of_one():
    model, sets = model_and_sets()
    whole, alone = after(model, one_step(sets))
    step = one_step(sets, [[0, 5], [1, 2, 3, 4, 6], [7, 8]])  # the second process has one pass and no row of a and b
    first, second = StepBatch(step.passes[:2], step.units, step.rows), StepBatch(step.passes[2:], step.units, step.rows)
    there = Ranks()
    _, model_there = after(model, second, fabric=there)
    lost = there.sent
    share_gradients(model_there, tuple("abc"), there)
    here = Ranks(lost)
    weighted, model_here = after(model, first, fabric=here)
    here.other = there.sent
    share_gradients(model_here, tuple("abc"), here)
    torch.testing.assert_close(weighted.losses_K, whole.losses_K, atol=1e-6, rtol=0)
    assert_close(gradients(alone), gradients(model_here))


def test_the_second_process_takes_the_weights_that_the_first_has_drawn():
    model, sets = model_and_sets()
    step = one_step(sets)
    _, expected = after(model, step)
    passes = Passes(model, KINDS, step, Ranks(LAMBDAS, first=False))
    passes.forward()
    passes.pull(torch.tensor([7.0, 8.0, 9.0]))
    assert_close(gradients(model), gradients(expected))


def test_the_second_process_takes_the_direction_that_the_first_has_drawn():
    model, sets = model_and_sets()
    chosen = Chosen(1)
    size = sum(p.numel() for _, p in model.choose(1))
    drawn, own = torch.arange(float(size)), torch.ones(size)
    passes = Passes(model, KINDS, one_step(sets), Ranks(drawn, first=False))
    passes.descend(chosen, own)
    assert torch.equal(torch.cat([p.grad.flatten() for _, p in model.choose(1)]), drawn)
    assert {id(p) for p in passes.settled} == {id(p) for _, p in model.choose(1)}


def test_a_task_that_no_process_has_gets_no_gradient():
    model, sets = model_and_sets()
    del sets["b"]
    _, copied = after(model, one_step(sets), fabric=Ranks())
    share_gradients(copied, ("a", "c"), Ranks())
    assert all(p.grad is None for p in copied.head("b").parameters())


def test_one_process_shares_nothing():
    model, _ = model_and_sets("a")
    share_gradients(model, ("a",), cpu())
    assert gradients(model) == {}


def batches(sets, steps):
    generator = np.random.default_rng(0)
    for _ in range(steps):
        rows = generator.permutation(3)[:2].tolist()
        yield StepBatch(one_step(sets, [rows]).passes, {"a": 2}, 2)


def adamw_by_hand(parameters, moments, t, lr, decay):
    """Loshchilov & Hutter 2019, algorithm 2, on matrices; Adam on the rest."""
    with torch.no_grad():
        for name, p in parameters.items():
            m, v = moments.setdefault(name, (torch.zeros_like(p), torch.zeros_like(p)))
            m.mul_(0.9).add_(0.1 * p.grad)
            v.mul_(0.98).add_(0.02 * p.grad**2)
            p.mul_(1 - lr * (decay if p.dim() > 1 else 0.0))
            p.sub_(lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.98**t)).sqrt() + 1e-6))
            p.grad = None


def test_one_task_is_plain_training():
    model, sets = model_and_sets("a")
    plain, schedule = copy.deepcopy(model), Linear(6, warmup=2)
    rates = Rates(lr=1e-3, head_lr=1e-3, weight_decay=0.1, betas=(0.9, 0.98), eps=1e-6, layer_decay=1.0)
    optimizer = adamw([Placed(p, n, None) for n, p in model.trained()], 2, rates, iter(()))
    moments, losses = {}, []
    for t, step in enumerate(batches(sets, 6)):
        set_rates(optimizer, schedule.factor(t))
        losses.append(
            Static(("a",), lambda step: (1.0,))
            .backward(Passes(model, {"a": KINDS["a"]}, step, cpu()), t)
            .losses_K.item()
        )
        optimizer.step()
        optimizer.zero_grad()
        one = step.passes[0]
        padded = one.inputs.padded(0)
        states = plain.sharing.backbone.encoder(padded.ids_BL, attention_mask=padded.mask_BL).last_hidden_state
        mask = torch.ones_like(padded.ids_BL) if padded.mask_BL is None else padded.mask_BL
        logits = plain.head("a").linear((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
        loss = nn.functional.cross_entropy(logits, one.parts[0].targets["label"].values.long())
        loss.backward()
        adamw_by_hand(dict(plain.trained()), moments, t + 1, 1e-3 * schedule.factor(t), 0.1)
        assert losses[-1] == pytest.approx(loss.item(), abs=1e-5)
    assert losses[-1] != pytest.approx(losses[0], abs=0.01)
    assert_close(dict(model.trained()), dict(plain.trained()), atol=1e-5)
