"""What holds for every member of the family, with the options of its YAML."""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from mtl_cli.weighting.base import BadStep
from tests.weighting.fakes import METHODS, Bowl, Bowls, build, frozen, one_step, through_files, train

A = Bowl((1.0, 0.5, -0.5, 2.0), floor=0.3, aim=2.0, offsets=(0.1, -0.2, 0.3, 0.0, -0.4, 0.2))
B = Bowl((-0.5, 1.0, 1.5, 0.5), floor=0.5, aim=-1.0, offsets=(0.0, 0.1, -0.1, 0.3, -0.3, 0.0))
C = Bowl((0.5, -1.0, 1.0, -1.5), floor=0.2, aim=0.5, factor=1.5, offsets=(0.2, 0.2, -0.1, -0.1, 0.0, -0.2))
SCORES = {"a": 0.6, "b": 0.8, "c": 0.3}

DRAWS = {"rlw", "cosmos"}
"""Weights are drawn by place in the step."""
NO_NUMBER = {"graddrop", "moco", "db_mtl"}
"""The direction is no combination of the step's gradients: there is no weight."""
every_method = pytest.mark.parametrize("name", METHODS)


def model(*bowls, start=(0.2, -0.3, 0.1, 0.4)):
    return Bowls(bowls or (A, B, C), start)


def ready(name, names=("a", "b", "c"), bowls=None, lambdas=None, steps=4):
    """A method that is past its warm-up, and the model it has trained."""
    weighting, one = build(name, names, lambdas), model(*(bowls or (A, B, C)[: len(names)]))
    train(weighting, one, steps, seed=1, scores=[SCORES[n] for n in names])
    return weighting, one


@every_method
def test_gradients_and_weights_are_finite_and_training_lowers_the_losses(name):
    weighting, one = build(name, "abc"), model()
    before = sum(one.loss(k, slice(None)).item() for k in range(3))
    weights = train(weighting, one, 12, seed=0, lr=0.02, scores=[0.6, 0.8, 0.3])
    passes, weighted = one_step(weighting, one, step=12)
    assert all(p.grad.isfinite().all() for p in one.parameters())
    assert weighted.losses_K.shape == weighted.weights_K.shape == (3,)
    assert all(math.isfinite(w) for row in weights for w in row) == (name not in NO_NUMBER)
    assert passes.again().nansum() < before


@every_method
def test_one_task_is_plain_training(name):
    weighting, plain = build(name, ("a",), [0.5]), build("static", ("a",), [0.5])
    one, other = model(A), model(A)
    assert train(weighting, one, 5, scores=[0.5]) == train(plain, other, 5) == [[0.5]] * 5
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))


def gone_through_by_name(order, monkeypatch):
    """Three tasks are gone through in the order of their names, wherever they stand."""
    whose = itertools.cycle(range(3))

    def randperm(count):
        own = next(whose)
        places = [p for p in range(3) if count == 3 or p != own]
        return torch.tensor(sorted(range(count), key=lambda i: order[places[i]]))

    monkeypatch.setattr(torch, "randperm", randperm)


@pytest.mark.parametrize("name", [m for m in METHODS if m not in DRAWS])
@pytest.mark.parametrize("order", [(1, 0), (1, 2, 0)])
def test_permuting_tasks_permutes_weights(name, order, monkeypatch):
    names, bowls = "abc"[: len(order)], (A, B, C)[: len(order)]
    one, other = model(*bowls), model(*(bowls[k] for k in order))
    scores = [SCORES[n] for n in names]
    if len(order) == 3:
        gone_through_by_name((0, 1, 2), monkeypatch)
    found = train(build(name, names), one, 5, seed=3, scores=scores)
    if len(order) == 3:
        gone_through_by_name(order, monkeypatch)
    permuted = train(build(name, [names[k] for k in order]), other, 5, seed=3, scores=[scores[k] for k in order])
    assert permuted[-1] == pytest.approx([found[-1][k] for k in order], rel=2e-3, abs=1e-5, nan_ok=True)
    torch.testing.assert_close(other.low, one.low, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(other.high, one.high, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", sorted(DRAWS))
def test_permuting_tasks_and_draws_permutes_weights(name, monkeypatch):
    drawn = torch.tensor([0.2, 0.7, 0.1])

    def weights(order):
        monkeypatch.setattr(torch, "randn", lambda *_, **__: drawn[list(order)])
        monkeypatch.setattr(torch.distributions.Dirichlet, "sample", lambda _: drawn[list(order)])
        _, weighted = one_step(build(name, "abc"), model(*((A, B, C)[k] for k in order)))
        return weighted.weights_K

    torch.testing.assert_close(weights((1, 2, 0)), weights((0, 1, 2))[[1, 2, 0]])


@pytest.mark.parametrize("name", [m for m in METHODS if m not in DRAWS | NO_NUMBER | {"pcd"}])
def test_identical_tasks_get_equal_weights(name):
    weights = train(build(name, "ab"), model(A, A), 5, seed=0, scores=[0.7, 0.7])
    assert all(a == pytest.approx(b, rel=1e-3) for a, b in weights)


@pytest.mark.parametrize("name", ["graddrop", "moco", "db_mtl"])
def test_identical_tasks_are_one_task(name):
    one = model(A, A)
    one_step(build(name, "ab"), one)
    shared, expected = one.shared_gradient(), torch.autograd.grad(one.loss(0, slice(None)), [one.low, one.high])
    assert torch.cosine_similarity(shared, torch.cat(expected), dim=0).item() == pytest.approx(1, abs=1e-6)


def encoder_direction(name, lambdas):
    """After a step under even weights, so that what is measured in the first step is known."""
    weighting, one = build(name, "abc"), model()
    train(weighting, one, 1, seed=5, lr=0.0, scores=[0.6, 0.8, 0.3])
    weighting._lambdas = lambda step: lambdas
    torch.manual_seed(0)
    one_step(weighting, one, step=1)
    return one.shared_gradient()


@every_method
def test_the_config_s_weights_count_unless_a_method_says_that_they_do_not(name):
    even, uneven = encoder_direction(name, [1.0, 1.0, 1.0]), encoder_direction(name, [5.0, 1.0, 1.0])
    lost = build(name, "abc").scale_free and name != "sum"  # the sum would use them, but is asked not to
    if lost:
        even, uneven = even / even.norm(), uneven / uneven.norm()
    assert torch.allclose(even, uneven, rtol=1e-3, atol=1e-4) == lost


FREE = [m for m in METHODS if not build(m).needs_every_task]


@pytest.mark.parametrize("name", FREE)
def test_an_absent_task_keeps_its_state_its_head_and_its_place(name):
    weighting, one = ready(name)
    before = frozen(weighting.state_dict())
    passes, weighted = one_step(weighting, one, step=4, present=(0, 2))
    weighting.after_step(passes, 4)
    for key, value in weighting.state_dict().items():
        if isinstance(value, torch.Tensor) and value.shape[:1] == (3,):
            assert value[1].tolist() == pytest.approx(before[key][1], rel=0, abs=0, nan_ok=True), key
        elif key.startswith(("1.", "adam.1.")):
            assert frozen({key: value})[key] == before[key], key
    assert torch.isnan(weighted.losses_K).tolist() == [False, True, False]
    assert one.heads[1].grad is None or one.heads[1].grad == 0
    assert all(p.grad is None or not p.grad.any() for p in list(weighting.parameters())[1:2])
    assert one.shared_gradient().isfinite().all()
    # What the others do does not hang on it.
    assert weighted.weights_K[[0, 2]].isfinite().all() or name in NO_NUMBER


@pytest.mark.parametrize("stop", [1, 4])
@every_method
def test_a_resumed_method_goes_on_bit_for_bit(name, stop):
    options = {"scores": [0.6, 0.8, 0.3], "seed": 11}
    whole_weighting, whole = build(name, "abc"), model()
    expected = train(whole_weighting, whole, 6, **options)
    first, one = build(name, "abc"), model()
    begun = train(first, one, stop, **options)
    second, other = build(name, "abc"), model(start=(9.0, 9.0, 9.0, 9.0))
    state = through_files(first.state_dict())
    second.load_state_dict(state)
    other.load_state_dict(one.state_dict())
    kept = frozen(state)
    found = begun + train(second, other, 6 - stop, first=stop, **options)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=0, atol=0, equal_nan=True)
    assert all(torch.equal(p, q) for p, q in zip(whole.parameters(), other.parameters(), strict=True))
    same(frozen(second.state_dict()), frozen(whole_weighting.state_dict()))
    # The saved state is the second's alone: it has not moved with it.
    same(frozen(state), kept)


def same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        torch.testing.assert_close(torch.tensor(one[key]), torch.tensor(other[key]), rtol=0, atol=0, equal_nan=True)


class Spoilt(Bowls):
    """The loss of the second task is as said."""

    how = "well"

    def loss(self, k, rows):
        value = super().loss(k, rows)
        if k != 1 or self.how == "well":
            return value
        if self.how == "nan loss":
            return value * torch.nan
        if self.how == "inf loss":
            return value + torch.inf
        if self.how == "zero gradient":
            return 1.0 + 0 * self.low.sum() + 0 * self.high.sum() + (self.heads[k] - 1.0) ** 2
        # The value is unharmed, the slope of a root at 0 is infinite.
        return value + torch.sqrt(self.high[0] - self.high[0].detach())


def spoilt(name, how):
    weighting, one = build(name, "abc"), Spoilt((A, B, C), (0.2, -0.3, 0.1, 0.4))
    train(weighting, one, 4, seed=1, scores=[0.6, 0.8, 0.3])
    one.how = how
    return weighting, one


LINEAR = {"static", "mean", "sum", "dtp"}
"""Their weights are known before the losses: it is the loop that looks at what comes of it."""
OF_GRADIENTS = [m for m in METHODS if build(m).chosen is not None]


@pytest.mark.parametrize("how", ["nan loss", "inf loss"])
@pytest.mark.parametrize("name", [m for m in METHODS if m not in LINEAR])
def test_a_loss_that_is_no_number_is_named_and_changes_no_state(name, how):
    weighting, one = spoilt(name, how)
    before = frozen(weighting.state_dict())
    with pytest.raises(BadStep, match=f"loss is {how[:3]}") as found:
        one_step(weighting, one, step=4)
    assert found.value.task == 1
    same(frozen(weighting.state_dict()), before)


@pytest.mark.parametrize(("how", "finding"), [("inf gradient", "is not finite"), ("zero gradient", "is zero")])
@pytest.mark.parametrize("name", OF_GRADIENTS)
def test_a_gradient_that_no_method_can_use_is_named_and_changes_no_state(name, how, finding):
    weighting, one = spoilt(name, how)
    before = frozen(weighting.state_dict())
    with pytest.raises(BadStep, match=f"gradient on the shared parameters {finding}") as found:
        one_step(weighting, one, step=4)
    assert found.value.task == 1
    same(frozen(weighting.state_dict()), before)


@pytest.mark.parametrize("name", ["gls", "si", "stch", "famo"])
def test_a_loss_of_zero_has_no_logarithm(name):
    perfect = Bowl((0.2, -0.3, 0.1, 0.4), aim=0.0)
    with pytest.raises(BadStep, match=r"loss is 0\.0, and this weighting takes its logarithm") as found:
        one_step(build(name, "ab"), model(A, perfect))
    assert found.value.task == 1


@pytest.mark.parametrize("name", OF_GRADIENTS)
def test_heads_get_the_gradient_of_plain_training(name):
    weighting, one = build(name, "abc", [0.5, 1.0, 2.0]), model()
    one_step(weighting, one)
    heads, high = one.head_gradients(), one.high.grad.clone()
    one_step(build("static", "abc", [0.5, 1.0, 2.0]), one)
    assert heads == pytest.approx(one.head_gradients(), rel=1e-5)
    first_is_plain = {"gradnorm", "excess_mtl"}
    assert not torch.allclose(high, one.high.grad) or name in first_is_plain


@pytest.mark.parametrize("name", OF_GRADIENTS)
def test_parameters_that_are_not_looked_at_get_the_gradient_of_plain_training(name):
    weighting, one = build(name, "abc", [0.5, 1.0, 2.0], params=1), model()
    passes, _ = one_step(weighting, one)
    low = one.low.grad.clone()
    one_step(build("static", "abc", [0.5, 1.0, 2.0]), one)
    # Auto-Lambda's held-out half is looked at a little further on, but from the same place in `low`.
    torch.testing.assert_close(low, one.low.grad, rtol=1e-5, atol=1e-6)
    assert passes.backwards == 3 * weighting.parts


@pytest.mark.parametrize("name", [m for m in OF_GRADIENTS if not build(m, "abc").scale_free])
def test_a_task_without_weight_has_no_part_in_the_direction(name):
    found = []
    for third in (C, replace(C, centre=(7.0, 7.0, -7.0, 7.0))):
        weighting, one = build(name, "abc", [1.0, 2.0, 0.0]), model(A, B, third)
        torch.manual_seed(0)
        one_step(weighting, one)
        found.append(one.shared_gradient())
        assert one.heads[2].grad == 0
    torch.testing.assert_close(found[0], found[1])
