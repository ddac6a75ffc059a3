"""The front over tasks."""

import itertools
import math
import random

import msgspec

from mtl_cli.analysis.collect import RunRecord
from mtl_cli.analysis.pareto import front, marked
from mtl_cli.runs.formats import Summary


def record(name, mean=None, **scores):
    tasks = {t: {"score": s, "higher_is_better": t != "err", "metrics": []} for t, s in scores.items()}
    summary = msgspec.convert({"mean": mean, "tasks": tasks}, Summary) if scores else None
    return RunRecord(name, "done" if scores else "failed", {}, summary)


def test_a_front_by_hand():
    assert front([(1, 3), (2, 2), (3, 1), (2, 1), (1, 2)]) == [True, True, True, False, False]


def test_equal_points_are_on_the_front_together():
    assert front([(1, 2), (1, 2), (0, 2)]) == [True, True, False]


def test_a_nan_is_not_on_the_front_and_beats_none():
    assert front([(math.nan, 9), (1, 1)]) == [False, True]


def test_points_off_the_front_are_beaten_by_one_on_it_and_those_on_it_by_none():
    rng = random.Random(0)
    points = [tuple(rng.randrange(6) for _ in range(3)) for _ in range(60)]
    on = front(points)

    def beats(a, b):
        return a != b and all(x >= y for x, y in zip(a, b, strict=True))

    best = [p for p, yes in zip(points, on, strict=True) if yes]
    assert not any(beats(a, b) for a, b in itertools.product(best, best))
    assert all(any(beats(a, b) for a in best) for b, yes in zip(points, on, strict=True) if not yes)


def test_where_less_is_better_the_lower_score_is_on_the_front():
    runs = marked([record("a", 0.5, rte=0.5, err=2.0), record("b", 0.5, rte=0.5, err=1.0)])
    assert [run.mark for run in runs] == ["best mean", "* best mean"]


def test_runs_of_other_tasks_are_compared_among_themselves_and_failures_bear_no_mark():
    runs = marked([record("a", 0.9, rte=0.9), record("b", 0.1, sst2=0.1), record("c", 0.2, rte=0.2), record("d")])
    assert [run.mark for run in runs] == ["* best mean", "* best mean", "", ""]
