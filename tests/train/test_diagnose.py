"""What the tasks' gradients are like, and what is said of it."""

import json
import math

import pytest
import torch

from mtl_cli.train.diagnose import Diagnostics
from mtl_cli.weighting.base import Chosen
from tests.weighting.fakes import Bowl, Bowls, FakePasses

BOWLS = (
    Bowl((3.0, 0.0, 4.0, 0.0), floor=1.0, aim=0.0),
    Bowl((-1.0, 0.0, 0.0, 0.0), aim=0.0),
    Bowl((0.0, 2.0, 0.0, 0.0), aim=0.0),
)
"""At 0: lengths 5, 1 and 2, losses 13.5, 0.5 and 2."""


def diagnostics(params="all", every=1):
    return Diagnostics(("a", "b", "c"), every, Chosen(params))


def look(one, bowls=BOWLS, lambdas=(1.0, 1.0, 1.0), present=None):
    return one.look(FakePasses(Bowls(bowls), present), torch.tensor(lambdas))


def test_lengths_shares_and_cosines_by_hand():
    record = look(diagnostics(), lambdas=(1.0, 2.0, 0.5)).record(7)
    assert (record["event"], record["step"]) == ("gradients", 7)
    assert record["losses"] == pytest.approx({"a": 13.5, "b": 0.5, "c": 2.0})
    assert record["weighted_losses"] == pytest.approx({"a": 13.5, "b": 1.0, "c": 1.0})
    assert record["lambdas"] == {"a": 1.0, "b": 2.0, "c": 0.5}
    assert record["norms"] == pytest.approx({"a": 5.0, "b": 2.0, "c": 1.0})
    assert record["shares"] == pytest.approx({"a": 5 / 8, "b": 2 / 8, "c": 1 / 8})
    assert record["cosines"] == pytest.approx({"a/b": -0.6, "a/c": 0.0, "b/c": 0.0})


def test_only_the_chosen_layers_count():
    assert look(diagnostics(1)).record(1)["norms"] == {"a": 4.0, "b": 0.0, "c": 0.0}


def test_what_has_no_value_is_not_in_the_record():
    record = look(diagnostics(), lambdas=(1.0, 0.0, 1.0)).record(1)
    assert list(record["cosines"]) == ["a/c"]
    assert record["shares"]["b"] == 0
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_gradients_that_are_all_zero_have_no_shares_to_speak_of():
    flat = (Bowl((0.0,) * 4),) * 3
    assert look(diagnostics(), flat).record(1)["shares"] == {"a": 0, "b": 0, "c": 0}


def test_an_absent_task_is_not_in_the_record():
    record = look(diagnostics(), present=(0, 2)).record(1)
    assert list(record["norms"]) == ["a", "c"]
    assert list(record["cosines"]) == ["a/c"]


def test_looks_are_every_so_many_steps():
    one = diagnostics(every=3)
    assert [one.due(step) for step in range(7)] == [True, False, False, True, False, False, True]


def test_a_look_leaves_gradients_and_draws_alone():
    model = Bowls(BOWLS)
    passes = FakePasses(model)
    before = torch.get_rng_state()
    diagnostics().look(passes, torch.ones(3))
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), before)
    assert passes.backwards == 3


def warned(one, *looks):
    return [dict(one.warnings(found)) for found in looks]


def test_a_pair_that_conflicts_in_all_of_five_looks_is_named_from_then_on():
    one = diagnostics()
    found = warned(one, *(look(one) for _ in range(6)))
    assert found[:4] == [{}] * 4
    assert list(found[4]) == list(found[5]) == ["conflict a/b"]
    assert "tasks 'a' and 'b' conflict throughout" in found[4]["conflict a/b"]
    assert "(now -0.60)" in found[4]["conflict a/b"]


def test_one_look_without_conflict_takes_the_word_back():
    one = diagnostics()
    agreed = look(one, (BOWLS[0], Bowl((1.0, 0.0, 0.0, 0.0)), BOWLS[2]))
    assert warned(one, agreed, *(look(one) for _ in range(6))) == [{}] * 7


def test_a_task_that_holds_nearly_all_of_the_gradient_in_five_looks_is_named():
    one = diagnostics()
    found = warned(one, *(look(one, lambdas=(20.0, 1.0, 1.0)) for _ in range(5)))
    text = found[4]["held a"]
    assert "task 'a' holds more than 90% of the gradient (now 97%)" in text
    assert "Lower weights.a" in text
    assert all("held a" not in early for early in found[:4])


def test_a_task_alone_in_a_step_does_not_hold_anything():
    one = diagnostics()
    assert warned(one, *(look(one, present=(0,)) for _ in range(6))) == [{}] * 6


def test_counts_go_on_after_a_resume():
    whole, first, second = diagnostics(), diagnostics(), diagnostics()
    warned(first, *(look(first) for _ in range(3)))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    found = warned(first, *(look(first) for _ in range(3)))
    assert warned(second, *(look(second) for _ in range(3))) == found
    assert warned(whole, *(look(whole) for _ in range(6)))[3:] == found
    assert "conflict a/b" in found[1]
    assert "conflict a/b" not in found[0]


def test_no_number_is_no_conflict():
    one = diagnostics()
    found = look(one, (Bowl((math.nan,) * 4), *BOWLS[1:]))
    assert warned(one, *[found] * 6) == [{}] * 6
