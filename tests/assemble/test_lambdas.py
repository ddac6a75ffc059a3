"""lambda_i of each step."""

import pytest

from mtl_cli.assemble.lambdas import Lambdas, as_written
from mtl_cli.data.sampler.base import Length
from mtl_cli.errors import ConfigError, RunError
from mtl_cli.expression import Expression

RAMP = {"rte": Expression("min(1, step/500)"), "stsb": 0.5, "sst2": Expression("epoch / steps")}


def test_numbers_stay_and_expressions_follow_the_step_in_the_order_of_the_tasks():
    lambdas = Lambdas(RAMP, Length(steps=1000, epoch_steps=100))
    assert lambdas(0) == [0, 0.5, 0]
    assert lambdas(250) == [0.5, 0.5, 2.5 / 1000]
    assert lambdas.by_task(750) == {"rte": 1, "stsb": 0.5, "sst2": 7.5 / 1000}


def test_every_weight_that_has_no_value_at_some_step_is_told_before_the_run():
    weights = {"a": Expression("epoch - 1"), "b": Expression("1 / (99 - step)"), "c": Expression("99 - step")}
    with pytest.raises(ConfigError) as caught:
        Lambdas(weights, Length(steps=100, epoch_steps=10))
    assert str(caught.value).splitlines() == [
        "weights.a: must be 0 or more; 'epoch - 1' is -1 at step 0",
        "weights.b: '1 / (99 - step)' has no finite value at step 99: it divides by 0",
    ]


@pytest.mark.parametrize("text", ["1 if step != 777 else -1", "1 / abs(step - 777)"])
def test_a_step_that_was_not_tried_ends_the_run_with_task_and_step(text):
    lambdas = Lambdas({"rte": Expression(text)}, Length(5000, 10))
    assert lambdas(776)[0] > 0
    with pytest.raises(RunError, match=r"^step 778: the weight of task 'rte': .* at step 777"):
        lambdas(777)


def test_files_hold_numbers_and_the_text_of_expressions():
    assert as_written(RAMP) == {"rte": "min(1, step/500)", "stsb": 0.5, "sst2": "epoch / steps"}
