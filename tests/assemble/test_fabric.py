import logging

import pytest

from mtl_cli.assemble import fabric as module
from mtl_cli.assemble.fabric import bf16_time_ratio, make_fabric
from mtl_cli.config.schema import FabricSection
from mtl_cli.errors import ConfigError


def section(**values):
    return FabricSection(
        **{"accelerator": "cpu", "devices": 1, "num_nodes": 1, "strategy": "auto", "precision": "auto", **values}
    )


def precision(fabric):
    return str(fabric._precision.precision)


def test_auto_on_a_processor_is_one_process_in_full_precision():
    found = make_fabric(section())
    assert (found.device.type, found.world_size, precision(found)) == ("cpu", 1, "32-true")


@pytest.mark.parametrize("asked", ["32-true", "bf16-mixed", "bf16-true"])
def test_a_precision_that_was_asked_for_is_taken(asked, monkeypatch):
    monkeypatch.setattr(module, "bf16_time_ratio", lambda: 0.5)
    assert precision(make_fabric(section(precision=asked))) == asked


@pytest.mark.parametrize(("ratio", "warned"), [(7.2, True), (0.5, False)])
def test_a_processor_that_is_slow_in_bf16_is_told_about(monkeypatch, caplog, ratio, warned):
    monkeypatch.setattr(module, "bf16_time_ratio", lambda: ratio)
    with caplog.at_level(logging.WARNING):
        make_fabric(section(precision="bf16-mixed"))
    assert ("takes 7 times as long as fp32 on this processor; 32-true is faster" in caplog.text) is warned


def test_several_devices_are_several_processes():
    assert make_fabric(section(devices=2)).world_size == 2


def test_unknown_precision_and_strategy_are_told_together():
    with pytest.raises(
        ConfigError,
        match=r"(?s)fabric.precision: unknown precision '16-mixed'.*bf16-mixed.*fabric.strategy: unknown strategy 'dpp'.*'ddp'",
    ):
        make_fabric(section(precision="16-mixed", strategy="dpp"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"accelerator": "abacus"}, "invalid accelerator name"),
        ({"accelerator": "tpu"}, "fabric: "),
        ({"devices": 0}, "fabric: .*not a valid input"),
    ],
)
def test_devices_that_are_not_there_are_a_fault_of_the_config(values, words):
    with pytest.raises(ConfigError, match=words):
        make_fabric(section(**values))


def test_the_time_ratio_is_a_positive_number():
    assert bf16_time_ratio(size=8, repeats=1) > 0
