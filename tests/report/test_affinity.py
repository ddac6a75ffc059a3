"""Records of looks -> means, groups, tables."""

import json
import math

import numpy as np
import pytest

from mtl_cli.errors import RunError
from mtl_cli.report.affinity import affinity_tables, averaged, proposal_json, proposed

TASKS = ("a", "b", "c")


def look(step, ab, ac, ba=None, **more):
    record = {
        "event": "gradients",
        "step": step,
        "norms": dict.fromkeys(TASKS, 1.0),
        "cosines": {"a/b": ab, "a/c": ac, "b/c": -0.5},
    }
    if ba is not None:
        affinity = {
            "a": {"a": 9.0, "b": ab, "c": ac},
            "b": {"a": ba, "b": 9.0, "c": 0.0},
            "c": {"a": 0.0, "b": 0.0, "c": 9.0},
        }
        record |= {"look_ahead": 0.1, "affinity": affinity}
    return {**record, **more}


def test_entries_are_means_over_the_looks_with_their_standard_errors():
    found = averaged([{"event": "train", "step": 1}, look(1, 0.2, 0.1), look(11, 0.6, 0.1)], TASKS)
    assert found.steps == (1, 11)
    assert found.cosines.mean_KK.tolist() == pytest.approx(np.array([[1, 0.4, 0.1], [0.4, 1, -0.5], [0.1, -0.5, 1]]))
    assert found.cosines.error_KK[0, 1] == pytest.approx(np.std([0.2, 0.6], ddof=1) / math.sqrt(2))
    assert found.affinity is None


def test_affinity_has_a_direction_and_cosines_have_none():
    found = averaged([look(1, 0.2, 0.1, ba=-0.3)], TASKS)
    assert found.affinity.mean_KK[0, 1] == 0.2
    assert found.affinity.mean_KK[1, 0] == -0.3
    assert (found.cosines.mean_KK == found.cosines.mean_KK.T).all()
    assert np.isnan(found.cosines.error_KK).all()


def test_a_look_without_a_value_is_left_out_of_that_mean_alone():
    other = look(2, 0.6, None)
    del other["cosines"]["b/c"]
    found = averaged([look(1, 0.2, 0.1), other], TASKS)
    assert found.cosines.mean_KK[0].tolist() == pytest.approx([1, 0.4, 0.1])
    assert found.cosines.mean_KK[1, 2] == -0.5


def test_no_look_and_looks_of_two_kinds_are_refused():
    with pytest.raises(RunError, match="no look at the gradients"):
        averaged([{"event": "train"}], TASKS)
    with pytest.raises(RunError, match=r"different kinds: look_ahead is 0\.1, None"):
        averaged([look(1, 0.2, 0.1), look(2, 0.2, 0.1, ba=0.0)], TASKS)


def test_a_pair_that_was_never_measured_is_named():
    record = look(1, 0.2, None)
    with pytest.raises(RunError, match="'a' and 'c' have no value in any of 1 looks"):
        proposed(averaged([record], TASKS), 2, "cosines")


def test_groups_by_an_affinity_that_nobody_measured_are_refused():
    with pytest.raises(RunError, match=r"cosines alone\. Give measure\.kind=cosine"):
        proposed(averaged([look(1, 0.2, 0.1)], TASKS), 2, "affinity")


def test_the_best_groups_of_each_k_and_the_scores_to_compare_them_with():
    found = proposed(averaged([look(1, 0.4, -0.2)], TASKS), 2, "cosines")
    assert found.chosen.groups == (("a", "b"), ("c",))
    assert found.chosen.score == pytest.approx((0.4 + 0.4 + 0) / 3)
    assert found.together == pytest.approx((0.2 - 0.1 - 0.7) / 2 / 3)
    assert [p.k for p in found.best] == [1, 2, 3]
    assert found.best[0].groups == (TASKS,)
    assert found.best[2].groups == found.chosen.groups


def test_the_json_is_plain_and_holds_both_matrices():
    found = json.loads(
        json.dumps(proposal_json(proposed(averaged([look(1, 0.4, -0.2, ba=0.1)], TASKS), 2, "affinity")))
    )
    assert found["groups"] == [["a", "b"], ["c"]]
    assert found["affinity"][1][0] == 0.1
    assert found["cosines"][1][0] == 0.4
    assert (found["looks"], found["score_alone"], found["k"], found["exact"]) == (1, 0.0, 2, True)


def test_the_table_takes_a_power_of_ten_off_small_affinities():
    text = affinity_tables(proposed(averaged([look(1, 4e-5, -2e-6, ba=1e-5)], TASKS), 2, "affinity"), ("affinity",))
    head, names, _, first, *_ = text.splitlines()
    assert head.endswith("(one look), times 1e-5")
    assert names.split() == ["a", "b", "c"]
    assert first.split() == ["a", "900000.00", "4.00", "-0.20"]
    assert "proposed for k=2: a b | c" in text
    assert "cosines" not in text
