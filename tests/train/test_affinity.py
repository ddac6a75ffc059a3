"""Looking ahead: values by hand on a parabola, and nothing changed by it on a real encoder."""

import copy
import itertools

import pytest
import torch

from mtl_cli.data.batch import StepBatch
from mtl_cli.tasks.kinds.regression import Regression
from mtl_cli.train.affinity import LookAheads
from mtl_cli.train.diagnose import Diagnostics
from mtl_cli.train.step.passes import Passes
from mtl_cli.weighting.base import Chosen
from tests.fakes import cpu, one_step
from tests.train.test_step import KINDS, LAMBDAS, Line, line_pass, model_and_sets


class SharedLine(Line):
    """A line whose one weight tasks share."""

    def trained(self):
        return iter([("w", self.w)])

    def choose(self, params):
        assert params == "all"
        return [("w", self.w)]


def looks(names="abc", rate=0.1, params="all"):
    return LookAheads(tuple(names), 1, Chosen(params), look_ahead=rate)


def parabolas(lambdas=(1.0, 1.0, 1.0)):
    """Tasks (w x - y)^2 at w = 1: a (x 1, y 0), b (2, 0) pulls the same way, c (1, 3) the other way."""
    kinds = {name: Regression(scale="none") for name in "abc"}
    step = StepBatch((line_pass(a=[(1, 0)], b=[(2, 0)], c=[(1, 3)]),), dict.fromkeys("abc", 1), 3)
    model = SharedLine(1.0)
    return looks().look(Passes(model, kinds, step, cpu()), torch.tensor(lambdas)), model


def test_affinity_is_the_share_of_a_loss_that_a_step_on_another_task_takes_away():
    # g = 2, 8, -4 and L = 1, 4, 4; steps of 0.1 lead to w = 0.8, 0.2, 1.4.
    found, _ = parabolas()
    expected = [
        [1 - 0.64, 1 - 2.56 / 4, 1 - 4.84 / 4],
        [1 - 0.04, 1 - 0.16 / 4, 1 - 7.84 / 4],
        [1 - 1.96, 1 - 7.84 / 4, 1 - 2.56 / 4],
    ]
    assert found.affinity_PP == tuple(pytest.approx(row, abs=1e-6) for row in expected)


def test_an_aligned_pair_helps_an_opposed_pair_hurts_and_not_in_equal_measure():
    (_, ab, ac), (ba, _, bc), (ca, cb, _) = parabolas()[0].affinity_PP
    assert ab > 0
    assert ba > 0
    assert max(ac, bc, ca, cb) < 0
    assert ab != pytest.approx(ba, abs=0.1)


def test_cosines_are_those_of_a_plain_look_and_symmetric():
    found, _ = parabolas()
    assert found.cosines_PP == ((1, 1, -1), (1, 1, -1), (-1, -1, 1))


def test_the_step_is_on_the_weighted_loss_as_in_training():
    found, _ = parabolas((0.5, 1.0, 1.0))
    assert found.affinity_PP[0][0] == pytest.approx(1 - 0.9**2, abs=1e-6)
    assert found.affinity_PP[1][0] == pytest.approx(1 - 0.04, abs=1e-6)


def test_a_loss_of_zero_has_no_share_to_lose():
    kinds = {name: Regression(scale="none") for name in "ab"}
    step = StepBatch((line_pass(a=[(1, 0)], b=[(1, 1)]),), {"a": 1, "b": 1}, 2)
    found = looks("ab").look(Passes(SharedLine(1.0), kinds, step, cpu()), torch.ones(2))
    assert found.affinity_PP[0][1] != found.affinity_PP[0][1]  # NaN
    assert found.affinity_PP[0][0] == pytest.approx(0.36, abs=1e-6)


def test_the_parameters_are_where_they_were():
    assert parabolas()[1].w.item() == 1.0


def test_a_task_that_is_not_in_the_step_is_not_in_the_look():
    kinds = {name: Regression(scale="none") for name in "abc"}
    step = StepBatch((line_pass(a=[(1, 0)], c=[(1, 3)]),), {"a": 1, "c": 1}, 2)
    found = looks().look(Passes(SharedLine(1.0), kinds, step, cpu()), torch.ones(3))
    assert found.tasks_P == ("a", "c")
    assert found.record(7)["affinity"].keys() == {"a", "c"}
    assert found.affinity_PP[0][1] == pytest.approx(1 - 4.84 / 4, abs=1e-6)


@pytest.mark.parametrize("params", ["all", 1, "attention"])
def test_a_step_takes_the_losses_to_where_a_copy_of_the_model_has_them(params):
    """Of each task alone, on the chosen shared parameters alone, by autograd on a copy."""
    model, sets = model_and_sets()
    step = one_step(sets, [[0, 3, 5], [1, 2, 4, 6, 7, 8]])
    found = looks(rate=0.05, params=params).look(Passes(model, KINDS, step, cpu()), LAMBDAS)
    before = Passes(copy.deepcopy(model), KINDS, step, cpu()).again()
    for i in range(3):
        moved = copy.deepcopy(model)
        Passes(moved, KINDS, step, cpu()).accumulate(LAMBDAS * torch.eye(3)[i])
        with torch.no_grad():
            for _, p in moved.choose(params):
                p.sub_(0.05 * p.grad)
        expected = 1 - Passes(moved, KINDS, step, cpu()).again() / before
        assert found.affinity_PP[i] == pytest.approx(expected.tolist(), abs=2e-5)
    assert max(abs(found.affinity_PP[i][j]) for i, j in itertools.permutations(range(3), 2)) > 1e-3


def test_a_look_leaves_parameters_gradients_and_draws_as_they_were():
    model, sets = model_and_sets()
    for module in model.modules():
        if hasattr(module, "p"):
            module.p = 0.3
    model.train()
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    run = Passes(model, KINDS, one_step(sets), cpu())
    looks().look(run, LAMBDAS)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_with_dropout_a_step_of_next_to_no_length_has_next_to_no_affinity():
    """So all losses see the same draws."""
    model, sets = model_and_sets()
    for module in model.modules():
        if hasattr(module, "p"):
            module.p = 0.5
    model.train()
    run = Passes(model, KINDS, one_step(sets), cpu())
    assert float(run.again()[0]) != pytest.approx(float(run.again()[0]), abs=1e-3)
    found = looks(rate=1e-9).look(run, LAMBDAS)
    assert max(abs(value) for row in found.affinity_PP for value in row) < 1e-5


def test_what_is_written_of_a_plain_look_is_written_too():
    model, sets = model_and_sets()
    run = Passes(model, KINDS, one_step(sets), cpu())
    found = looks().look(run, LAMBDAS).record(3)
    plain = Diagnostics(("a", "b", "c"), 1, Chosen("all")).look(run, LAMBDAS).record(3)
    assert {key: found[key] for key in plain} == plain
    assert found.keys() - plain.keys() == {"look_ahead", "affinity"}
    assert found["look_ahead"] == 0.1
