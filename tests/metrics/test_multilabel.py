import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from mtl_cli.metrics.multilabel import LABEL_SETS
from mtl_cli.metrics.scorer import score_set


def scores(gold, given, rounds):
    return score_set(LABEL_SETS, "input", gold, given, gold.shape[1], rounds, 1)


def drawn(rows=60, labels=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=(rows, labels)) < 0.4, rng.uniform(size=(rows, labels)) < 0.4


def test_values_are_those_of_an_independent_library():
    gold, given = drawn()
    found = {s.metric: s.value for s in scores(gold, given, 0)}
    assert found == {
        "micro_f1": pytest.approx(f1_score(gold, given, average="micro")),
        "macro_f1": pytest.approx(f1_score(gold, given, average="macro")),
        "exact_match": pytest.approx(accuracy_score(gold, given)),
    }


def test_labels_that_do_not_occur_are_left_out_of_the_macro_mean():
    gold, given = drawn()
    wide = [np.hstack([x, np.zeros((60, 3), bool)]) for x in (gold, given)]
    assert [s.value for s in scores(*wide, 0)] == [s.value for s in scores(gold, given, 0)]


def test_nothing_to_find_and_nothing_found_is_an_exact_match_without_f1():
    none = np.zeros((3, 2), bool)
    assert [s.value for s in scores(none, none, 10)] == [0, 0, 1]


def test_intervals_lie_around_the_value_and_are_as_wide_as_theory_has_it():
    gold, given = drawn(400)
    exact = scores(gold, given, 1000)[2]
    deviation = (exact.value * (1 - exact.value) / 400) ** 0.5
    assert exact.low < exact.value < exact.high
    assert (exact.high - exact.low) / (2 * 1.96) == pytest.approx(deviation, rel=0.15)
    assert exact.rows == 400
