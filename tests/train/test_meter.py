import json
import math

import pytest

from mtl_cli.train.meter import Meter, drowning


def filled():
    meter = Meter(("a", "b", "c"))
    meter.add({"a": 1.0, "b": 4.0}, {"a": 0.5, "b": 1.0, "c": 1.0}, penalty=0.5, norm=2.0)
    meter.add({"a": 3.0}, {"a": 1.5, "b": 1.0, "c": 1.0}, penalty=0.5, norm=4.0)
    return meter


def test_means_are_over_the_steps_that_a_task_was_in():
    means = filled().means()
    assert means["losses"] == {"a": 2.0, "b": 4.0}
    assert means["weights"] == {"a": 1.0, "b": 1.0}
    assert means["weighted_losses"] == {"a": 2.5, "b": 4.0}
    # (0.5 + 4 + 0.5) and (4.5 + 0.5)
    assert (means["loss"], means["gradient_norm"]) == (5.0, 3.0)


def test_a_method_without_a_number_for_a_task_has_no_weight_weighted_loss_or_total():
    meter = Meter(("a", "b"))
    meter.add({"a": 1.0, "b": 4.0}, {"a": 0.5, "b": math.nan}, penalty=0.0, norm=2.0)
    means = meter.means()
    assert (means["losses"], means["weights"], means["weighted_losses"]) == (
        {"a": 1.0, "b": 4.0},
        {"a": 0.5},
        {"a": 0.5},
    )
    assert "loss" not in means


def test_steps_that_were_passed_over_are_told():
    meter = filled()
    meter.skipped += 2
    assert meter.means()["skipped_steps"] == 2
    assert "skipped_steps" not in filled().means()


def test_losses_are_listed_in_the_order_of_the_tasks():
    meter = Meter(("a", "b"))
    meter.add({"b": 1.0, "a": 2.0}, {"a": 1.0, "b": 1.0}, 0.0, 1.0)
    assert list(meter.means()["losses"]) == ["a", "b"]


def test_a_reset_forgets_everything():
    meter = filled()
    meter.reset()
    assert meter == Meter(("a", "b", "c"))
    assert meter.means() == {"losses": {}, "weights": {}, "weighted_losses": {}, "loss": 0.0, "gradient_norm": 0.0}


def test_a_state_that_went_through_json_goes_on_the_same_way():
    one, other = filled(), Meter(("a", "b", "c"))
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    for meter in (one, other):
        meter.add({"c": 0.1}, {"c": 2.0}, 0.2, 0.3)
    assert one.means() == other.means()


def test_a_weighted_loss_far_above_the_median_of_the_others_drowns_them():
    assert drowning({"a": 1.0, "b": 3.0, "c": 21.0}) == [("c", pytest.approx(10.5))]


def test_five_times_is_not_yet_drowning():
    assert drowning({"a": 1.0, "b": 5.0}) == []
    assert drowning({"a": 1.0, "b": 5.1}) == [("b", pytest.approx(5.1))]


def test_a_task_alone_or_beside_weights_of_zero_drowns_nobody():
    assert drowning({"a": 100.0}) == []
    assert drowning({"a": 100.0, "b": 0.0}) == []
