"""What all samplers promise, and each one's own rule."""

import numpy as np
import pytest
from scipy.stats import chisquare

from mtl_cli.data.sampler.all_tasks import AllTasks
from mtl_cli.data.sampler.explicit import Explicit
from mtl_cli.data.sampler.proportional import Proportional
from mtl_cli.data.sampler.round_robin import RoundRobin
from mtl_cli.data.sampler.temperature import Temperature
from mtl_cli.data.sampler.uniform import Uniform

NAMES, SIZES = ["rte", "qqp", "sst2"], [100, 6400, 2500]


def chance_samplers(per_step):
    return {
        "proportional": Proportional(NAMES, SIZES, per_step=per_step),
        "uniform": Uniform(NAMES, SIZES, per_step=per_step),
        "temperature": Temperature(NAMES, SIZES, temperature=2.0, cap=None, per_step=per_step),
        "explicit": Explicit(NAMES, SIZES, chances={"sst2": 1.0, "rte": 2.0, "qqp": 1.0}, per_step=per_step),
    }


SHARES = {
    "proportional": np.array([1, 64, 25]) / 90,
    "uniform": np.array([1, 1, 1]) / 3,
    "temperature": np.array([10, 80, 50]) / 140,
    "explicit": np.array([2, 1, 1]) / 4,
}
ALL = {
    **{f"{name} {p}": s for p in ("mixed", "one_task") for name, s in chance_samplers(p).items()},
    "round_robin": RoundRobin(NAMES, SIZES),
    "all_tasks": AllTasks(NAMES, SIZES),
}


def drawn(sampler, steps, size=32, seed=0):
    return np.array([sampler.counts(t, size, np.random.default_rng((seed, t))) for t in range(steps)])


@pytest.mark.parametrize("name", ALL)
def test_counts_are_whole_numbers_that_sum_to_the_rows_of_a_step(name):
    for size in (3, 17, 32):
        counts = drawn(ALL[name], 50, size)
        assert counts.shape == (50, 3)
        assert counts.dtype.kind == "i"
        assert counts.min() >= 0
        assert (counts.sum(axis=1) == size).all()


@pytest.mark.parametrize("name", ALL)
def test_the_same_step_and_seed_give_the_same_counts(name):
    assert (drawn(ALL[name], 30) == drawn(ALL[name], 30)).all()
    assert (
        drawn(ALL[name], 30)[::-1]
        == [ALL[name].counts(t, 32, np.random.default_rng((0, t))) for t in range(29, -1, -1)]
    ).all()


@pytest.mark.parametrize("name", ALL)
def test_the_chances_sum_to_one_and_a_plain_sampler_has_no_state(name):
    assert ALL[name].chances_K.sum() == pytest.approx(1)
    assert ALL[name].state_dict() == {}


@pytest.mark.parametrize("name", SHARES)
def test_the_chances_are_those_worked_out_by_hand(name):
    assert chance_samplers("mixed")[name].chances_K == pytest.approx(SHARES[name])


@pytest.mark.parametrize("name", SHARES)
def test_rows_of_mixed_steps_are_drawn_in_the_expected_shares(name):
    counts = drawn(chance_samplers("mixed")[name], 600).sum(axis=0)
    assert chisquare(counts, SHARES[name] * counts.sum()).pvalue > 0.01


@pytest.mark.parametrize("name", SHARES)
def test_steps_of_one_task_are_drawn_in_the_expected_shares_and_hold_one_task(name):
    counts = drawn(chance_samplers("one_task")[name], 4000)
    assert ((counts == 32).sum(axis=1) == 1).all()
    steps = (counts > 0).sum(axis=0)
    assert chisquare(steps, SHARES[name] * 4000).pvalue > 0.01


def test_rows_of_a_mixed_step_vary_as_independent_draws_do():
    share = np.array([1, 1, 1]) / 3
    counts = drawn(chance_samplers("mixed")["uniform"], 4000)
    assert counts.var(axis=0) == pytest.approx(32 * share * (1 - share), rel=0.1)


@pytest.mark.parametrize("name", [n for n in ALL if n != "all_tasks"])
def test_only_all_tasks_is_sure_to_hold_every_task(name):
    assert not ALL[name].every_task_each_step
    assert ALL["all_tasks"].every_task_each_step


def temperature(value, cap=None, sizes=SIZES):
    return Temperature(NAMES, sizes, temperature=value, cap=cap, per_step="mixed").chances_K


def test_temperature_one_is_proportional_and_a_large_one_uniform():
    assert temperature(1.0) == pytest.approx(SHARES["proportional"])
    assert temperature(1e9) == pytest.approx(SHARES["uniform"])
    assert temperature(float("inf")) == pytest.approx(SHARES["uniform"])


def test_a_higher_temperature_gives_the_smallest_task_more_and_the_largest_less():
    chances = np.array([temperature(t) for t in (0.5, 1, 2, 5, 10, 100)])
    assert (np.diff(chances[:, 0]) > 0).all()
    assert (np.diff(chances[:, 1]) < 0).all()


def test_a_temperature_near_zero_leaves_the_largest_task_alone():
    assert temperature(0.001, sizes=[10, 400_000, 300_000]) == pytest.approx([0, 1, 0])


def test_a_task_counts_for_no_more_rows_than_the_cap():
    assert temperature(1.0, cap=400) == pytest.approx(np.array([1, 4, 4]) / 9)
    assert temperature(2.0, cap=400) == pytest.approx(np.array([1, 2, 2]) / 5)
    assert temperature(3.0, cap=1) == pytest.approx(SHARES["uniform"])
    assert temperature(1.0, cap=10_000) == pytest.approx(SHARES["proportional"])


@pytest.mark.parametrize(
    ("value", "cap", "message"),
    [
        (0.0, None, "temperature must be more than 0"),
        (-1.0, None, "more than 0"),
        (1.0, 0, "cap must be at least 1 row"),
    ],
)
def test_temperature_and_cap_out_of_range_are_refused(value, cap, message):
    with pytest.raises(ValueError, match=message):
        temperature(value, cap)


@pytest.mark.parametrize(
    ("chances", "message"),
    [
        ({"rte": 1.0, "qqp": 1.0, "sst3": 1.0}, r"no task 'sst3' \(Did you mean 'sst2'\?\); no chance for 'sst2'"),
        ({"rte": 1.0}, "chances must name each task: no chance for 'qqp', 'sst2'$"),
        ({"rte": 1.0, "qqp": 1.0, "sst2": 1.0, "cola": 1.0}, "chances must name each task: no task 'cola' [^;]*$"),
        ({"rte": 1.0, "qqp": -0.5, "sst2": 1.0}, "must be 0 or more and not all 0"),
        ({"rte": 0.0, "qqp": 0.0, "sst2": 0.0}, "must be 0 or more and not all 0"),
    ],
)
def test_explicit_chances_that_do_not_fit_the_tasks_are_refused(chances, message):
    with pytest.raises(ValueError, match=message):
        Explicit(NAMES, SIZES, chances=chances, per_step="mixed")


def test_a_task_with_chance_zero_is_never_drawn():
    sampler = Explicit(NAMES, SIZES, chances={"rte": 0.0, "qqp": 1.0, "sst2": 3.0}, per_step="mixed")
    assert drawn(sampler, 200).sum(axis=0)[0] == 0


def test_round_robin_holds_one_task_a_step_in_turn():
    counts = drawn(RoundRobin(NAMES, SIZES), 7, size=16)
    assert counts.argmax(axis=1).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert (counts.max(axis=1) == 16).all()


@pytest.mark.parametrize("size", [3, 4, 5, 32])
def test_all_tasks_is_even_in_each_step_and_exactly_even_over_a_round(size):
    counts = drawn(AllTasks(NAMES, SIZES), 30, size)
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()
    assert counts.min() >= 1
    assert (np.add.reduceat(counts, range(0, 30, 3)) == size).all()


def test_all_tasks_refuses_a_step_with_fewer_rows_than_tasks():
    with pytest.raises(ValueError, match=r"batch\.size=2 has no room for all 3 tasks"):
        AllTasks(NAMES, SIZES).counts(0, 2, np.random.default_rng(0))
