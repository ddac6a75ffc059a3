import math

import pytest

from mtl_cli.optim.schedule import Constant, Cosine, InverseSqrt, Linear, Polynomial


def factors(schedule):
    return [schedule.factor(t) for t in range(schedule.total)]


def test_constant_with_warm_up_rises_in_even_steps_to_one():
    assert factors(Constant(6, warmup=3)) == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 1, 1])


def test_linear_falls_from_one_after_the_warm_up():
    assert factors(Linear(6, warmup=2)) == pytest.approx([1 / 3, 2 / 3, 1, 3 / 4, 2 / 4, 1 / 4])


def test_linear_without_warm_up_begins_at_one():
    assert factors(Linear(4, warmup=0)) == pytest.approx([1, 3 / 4, 2 / 4, 1 / 4])


def test_cosine_passes_the_middle_between_one_and_its_floor():
    schedule = Cosine(4, warmup=0, floor=0.2)
    half = math.sqrt(0.5)
    assert factors(schedule) == pytest.approx([1, 0.2 + 0.8 * (1 + half) / 2, 0.6, 0.2 + 0.8 * (1 - half) / 2])


def test_polynomial_is_a_power_of_linear():
    assert factors(Polynomial(4, warmup=0, power=2)) == pytest.approx([1, 9 / 16, 4 / 16, 1 / 16])


def test_inverse_sqrt_falls_with_the_root_of_the_step():
    assert factors(InverseSqrt(5, warmup=2)) == pytest.approx(
        [1 / 3, 2 / 3, math.sqrt(2 / 3), math.sqrt(2 / 4), math.sqrt(2 / 5)]
    )
    assert factors(InverseSqrt(3, warmup=0)) == pytest.approx([1, math.sqrt(1 / 2), math.sqrt(1 / 3)])


@pytest.mark.parametrize(("asked", "steps"), [(0, 0), (0.25, 10), (0.99, 39), (1, 1), (7, 7)])
def test_warm_up_is_a_share_below_one_and_steps_from_one(asked, steps):
    assert Constant(40, warmup=asked).warmup == steps


@pytest.mark.parametrize("schedule", [Constant, Linear, InverseSqrt])
def test_a_warm_up_as_long_as_the_run_is_refused(schedule):
    with pytest.raises(ValueError, match="warmup takes 10 steps, but the run has 10"):
        schedule(10, warmup=10)


def test_a_negative_warm_up_is_refused():
    with pytest.raises(ValueError, match="warmup must be 0 or more; found -1"):
        Linear(10, warmup=-1)


@pytest.mark.parametrize("floor", [-0.1, 1.1])
def test_a_floor_outside_the_unit_interval_is_refused(floor):
    with pytest.raises(ValueError, match=r"floor must lie in \[0, 1\]"):
        Cosine(10, warmup=0, floor=floor)


def test_a_power_of_zero_is_refused():
    with pytest.raises(ValueError, match="power must be more than 0"):
        Polynomial(10, warmup=0, power=0)


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(30, warmup=0.1),
        Linear(30, warmup=5),
        Cosine(30, warmup=3, floor=0),
        Polynomial(30, warmup=1, power=3),
        InverseSqrt(30, warmup=4),
    ],
)
def test_every_factor_lies_in_the_unit_interval_and_none_is_zero(schedule):
    assert all(0 < f <= 1 for f in factors(schedule))
