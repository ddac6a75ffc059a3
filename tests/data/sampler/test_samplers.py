"""What all samplers promise, and each one's own rule."""

import json

import numpy as np
import pytest
from scipy.stats import chisquare

from mtl_cli.data.sampler.all_tasks import AllTasks
from mtl_cli.data.sampler.annealed import Annealed
from mtl_cli.data.sampler.base import Length, Observed
from mtl_cli.data.sampler.explicit import Explicit
from mtl_cli.data.sampler.expression import ExpressionSampler
from mtl_cli.data.sampler.metric import MetricDriven
from mtl_cli.data.sampler.proportional import Proportional
from mtl_cli.data.sampler.round_robin import RoundRobin
from mtl_cli.data.sampler.smoothing import Smoothing
from mtl_cli.data.sampler.temperature import Temperature
from mtl_cli.data.sampler.uncertainty import Uncertainty
from mtl_cli.data.sampler.uniform import Uniform
from mtl_cli.errors import RunError
from mtl_cli.expression import Expression

LENGTH = Length(steps=101, epoch_steps=40)
NAMES, SIZES = ["rte", "qqp", "sst2"], [100, 6400, 2500]


def begun(sampler, length=LENGTH):
    sampler.begin(length)
    return sampler


def by_expressions(per_step="mixed", **chances):
    return ExpressionSampler(NAMES, SIZES, chances=chances, per_step=per_step)


def metric(floor=0.0, **targets):
    return MetricDriven(NAMES, SIZES, targets=targets, floor=floor, per_step="mixed")


def uncertainty(floor=0.0):
    return Uncertainty(NAMES, SIZES, floor=floor, per_step="mixed")


def chance_samplers(per_step):
    return {
        "proportional": Proportional(NAMES, SIZES, per_step=per_step),
        "uniform": Uniform(NAMES, SIZES, per_step=per_step),
        "temperature": Temperature(NAMES, SIZES, temperature=2.0, cap=None, per_step=per_step),
        "explicit": Explicit(NAMES, SIZES, chances={"sst2": 1.0, "rte": 2.0, "qqp": 1.0}, per_step=per_step),
        "smoothing": Smoothing(NAMES, SIZES, alpha=0.5, per_step=per_step),
        "annealed": begun(Annealed(NAMES, SIZES, drop=0.0, per_step=per_step)),
        "expression": begun(by_expressions(per_step, sst2=1.0, rte=Expression("2 * sqrt(1)"), qqp=1.0)),
        "metric": MetricDriven(NAMES, SIZES, targets=None, floor=0.0, per_step=per_step),
        "uncertainty": Uncertainty(NAMES, SIZES, floor=0.0, per_step=per_step),
    }


SHARES = {
    "proportional": np.array([1, 64, 25]) / 90,
    "uniform": np.array([1, 1, 1]) / 3,
    "temperature": np.array([10, 80, 50]) / 140,
    "explicit": np.array([2, 1, 1]) / 4,
    "smoothing": np.array([10, 80, 50]) / 140,
    "annealed": np.array([1, 64, 25]) / 90,
    "expression": np.array([2, 1, 1]) / 4,
    "metric": np.array([1, 1, 1]) / 3,  # before the first evaluation
    "uncertainty": np.array([1, 1, 1]) / 3,
}
DRIVEN = ("metric", "uncertainty")
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
    assert ALL[name].chances_K(7).sum() == pytest.approx(1)
    assert (ALL[name].state_dict() == {}) == (name.split()[0] not in DRIVEN)


@pytest.mark.parametrize("name", [n for n in ALL if n.split()[0] not in DRIVEN])
def test_what_an_evaluation_finds_changes_nothing_for_a_plain_sampler(name):
    before = drawn(ALL[name], 20)
    ALL[name].observe([Observed("rte", 0.9, 0.1), Observed("qqp", 0.1, 0.9), Observed("sst2", 0.5, 0.5)])
    assert (drawn(ALL[name], 20) == before).all()


@pytest.mark.parametrize("name", SHARES)
def test_the_chances_are_those_worked_out_by_hand(name):
    assert chance_samplers("mixed")[name].chances_K(3) == pytest.approx(SHARES[name])


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
    return Temperature(NAMES, sizes, temperature=value, cap=cap, per_step="mixed").chances_K(0)


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


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_smoothing_is_temperature_with_the_inverse(alpha):
    found = Smoothing(NAMES, SIZES, alpha=alpha, per_step="mixed").chances_K(0)
    assert found == pytest.approx(temperature(1 / alpha if alpha else float("inf")))


@pytest.mark.parametrize("alpha", [-0.1, 1.1])
def test_smoothing_outside_proportional_and_uniform_is_refused(alpha):
    with pytest.raises(ValueError, match=r"alpha must lie between 0 \(uniform\) and 1 \(proportional\); found"):
        Smoothing(NAMES, SIZES, alpha=alpha, per_step="mixed")


def annealed(drop=0.8, length=LENGTH):
    return begun(Annealed(NAMES, SIZES, drop=drop, per_step="mixed"), length)


@pytest.mark.parametrize(("step", "power"), [(0, 1.0), (50, 0.6), (100, 0.2), (107, 0.2)])
def test_annealed_falls_from_proportional_by_the_drop_and_stays_there(step, power):
    expected = np.array(SIZES, float) ** power
    assert annealed().chances_K(step) == pytest.approx(expected / expected.sum())


def test_a_full_drop_ends_uniform_and_a_run_of_one_step_is_proportional():
    assert annealed(1.0).chances_K(100) == pytest.approx(SHARES["uniform"])
    assert annealed(length=Length(1, 40)).chances_K(0) == pytest.approx(SHARES["proportional"])


def test_rows_of_an_annealed_run_follow_its_chances():
    sampler = annealed()
    steps = np.repeat([0, 100], 600)
    counts = np.array([sampler.counts(int(t), 32, np.random.default_rng((1, i))) for i, t in enumerate(steps)])
    for half, step in ((counts[:600], 0), (counts[600:], 100)):
        assert chisquare(half.sum(axis=0), sampler.chances_K(step) * half.sum()).pvalue > 0.01


@pytest.mark.parametrize("drop", [-0.1, 1.5])
def test_a_drop_that_would_turn_the_order_round_is_refused(drop):
    with pytest.raises(ValueError, match="drop must lie between 0"):
        Annealed(NAMES, SIZES, drop=drop, per_step="mixed")


def test_expressions_are_chances_up_to_a_factor_at_each_step():
    sampler = begun(by_expressions(rte=Expression("step / steps"), qqp=Expression("epoch"), sst2=0.5))
    assert sampler.chances_K(0) == pytest.approx([0, 0, 1])
    expected = np.array([80 / 101, 80 / 40, 0.5])
    assert sampler.chances_K(80) == pytest.approx(expected / expected.sum())


def test_steps_planned_beyond_the_end_have_the_last_chances():
    sampler = begun(by_expressions(rte=Expression("100 - step"), qqp=1.0, sst2=1.0))
    assert sampler.chances_K(107).tolist() == sampler.chances_K(100).tolist() == [0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("chances", "message"),
    [
        ({"qqp": Expression("50 - step")}, "the chance of 'qqp': must be 0 or more; '50 - step' is -1 at step 51"),
        (
            {"qqp": Expression("1 / abs(step - 7)")},
            "the chance of 'qqp': .* has no finite value at step 7: it divides by 0",
        ),
        ({"qqp": -1.0}, "the chance of 'qqp': must be 0 or more; found -1.0"),
        (
            {"rte": 0.0, "sst2": 0.0, "qqp": Expression("9 - step")},
            "all chances are 0 at step 9: no task could be drawn",
        ),
    ],
)
def test_expressions_without_chances_at_some_step_are_refused_before_the_run(chances, message):
    with pytest.raises(ValueError, match=message):
        begun(by_expressions(**{"rte": 1.0, "qqp": 1.0, "sst2": 1.0} | chances))


def test_a_step_that_was_not_tried_ends_the_run_with_task_and_step():
    sampler = begun(by_expressions(rte=1.0, qqp=Expression("-1 if step == 777 else 1"), sst2=1.0), Length(10_000, 40))
    with pytest.raises(RunError, match=r"the chance of 'qqp': must be 0 or more; .* is -1 at step 777"):
        sampler.counts(777, 8, np.random.default_rng(0))


def test_expressions_must_name_each_task():
    with pytest.raises(ValueError, match=r"chances must name each task: no task 'rtee' .*; no chance for 'rte'"):
        by_expressions(rtee=1.0, qqp=1.0, sst2=1.0)


SEEN = [Observed("rte", 0.6, 0.9), Observed("qqp", 0.9, 0.3), Observed("sst2", 0.8, 0.0)]


def test_metric_driven_chances_are_the_distances_to_the_targets():
    sampler = metric(rte=0.75, qqp=0.85)
    sampler.observe(SEEN)
    # 1 - 0.6/0.75, at the target, 1 - 0.8/1
    assert sampler.chances_K(0) == pytest.approx([0.5, 0, 0.5])
    sampler = metric(floor=0.1, rte=0.75, qqp=0.85)
    sampler.observe(SEEN)
    assert sampler.chances_K(0) == pytest.approx(np.array([0.3, 0.1, 0.3]) / 0.7)


def test_a_score_without_a_value_counts_as_0_and_one_below_0_as_more_need():
    sampler = metric()
    sampler.observe([Observed("rte", float("nan"), None), Observed("qqp", 0.5, None), Observed("sst2", -0.5, None)])
    assert sampler.chances_K(0) == pytest.approx(np.array([1, 0.5, 1.5]) / 3)


def test_uncertain_tasks_are_drawn_by_their_entropy():
    sampler = uncertainty()
    sampler.observe(SEEN)
    assert sampler.chances_K(0) == pytest.approx([0.75, 0.25, 0])
    sampler = uncertainty(floor=0.1)
    sampler.observe(SEEN)
    assert sampler.chances_K(0) == pytest.approx(np.array([1.0, 0.4, 0.1]) / 1.5)


@pytest.mark.parametrize("sampler", [metric(), uncertainty()], ids=DRIVEN)
def test_where_no_task_needs_anything_all_are_alike(sampler):
    sampler.observe([Observed(name, 1.0, 0.0) for name in NAMES])
    assert sampler.chances_K(0) == pytest.approx(SHARES["uniform"])


@pytest.mark.parametrize("fresh", [metric, uncertainty], ids=DRIVEN)
def test_the_same_evaluation_told_twice_changes_nothing_and_a_state_brings_it_back(fresh):
    once, twice, restored = fresh(), fresh(), fresh()
    for sampler in (once, twice, twice):
        sampler.observe(SEEN)
    restored.load_state_dict(json.loads(json.dumps(once.state_dict())))
    assert once.chances_K(0).tolist() == twice.chances_K(0).tolist() == restored.chances_K(0).tolist()
    assert once.chances_K(0).tolist() != fresh().chances_K(0).tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metric(floor=-1), "floor must be 0 or more; found -1"),
        (lambda: uncertainty(floor=-1), "floor must be 0 or more; found -1"),
        (lambda: metric(rtee=0.5), r"targets: no task 'rtee' \(Did you mean 'rte'\?\)"),
        (lambda: metric(rte=0.0), r"targets\.rte must be more than 0; found 0.0"),
    ],
)
def test_options_of_driven_samplers_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
