import logging

import pytest
import torch

from mtl_cli.assemble import fabric as module
from mtl_cli.assemble.fabric import bf16_time_ratio, make_fabric, use_threads
from mtl_cli.config.schema import FabricSection
from mtl_cli.errors import ConfigError


def section(**values):
    return FabricSection(
        **{
            "accelerator": "cpu", "devices": 1, "num_nodes": 1, "strategy": "auto", "precision": "auto", "threads": None,
            **values,
        }
    )  # fmt: skip


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


@pytest.fixture
def machine(monkeypatch):
    """Four cores and threads, no variable, other programs on `others` of them; the threads that were set are collected."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)), raising=False)
    taken = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: taken[-1])
    monkeypatch.setattr(torch, "set_num_threads", taken.append)
    module._threads_of_torch.cache_clear()

    def set_up(others):
        monkeypatch.setattr(module, "others_now", lambda: others)
        return taken

    yield set_up
    module._threads_of_torch.cache_clear()


def test_threads_leave_alone_the_cores_that_other_programs_keep_busy(machine, caplog):
    taken = machine(2.9)
    with caplog.at_level(logging.INFO):
        assert use_threads(section()) == 1
    assert taken == [4, 1]
    assert "threads  1: other programs keep 2.9 of 4 cores busy (fabric.threads=4 takes all)" in caplog.text
    machine(0.0)
    assert use_threads(section()) == 4, "what an earlier run in this process had is not what there is"


def test_threads_of_several_processes_share_the_free_cores(machine):
    machine(0.1)
    assert use_threads(section(), processes=2) == 2
    assert use_threads(section(), processes=9) == 1


def test_a_number_that_the_user_gives_is_taken(machine, monkeypatch):
    taken = machine(4.0)
    assert use_threads(section(threads=3)) == 3
    assert taken == [4, 3]


def test_omp_num_threads_is_what_torch_has_read(machine, monkeypatch):
    machine(4.0)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert use_threads(section()) == 4


def test_a_resumed_run_takes_the_threads_that_it_began_with_unless_the_user_gives_others(machine, caplog):
    taken = machine(4.0)
    with caplog.at_level(logging.INFO):
        assert use_threads(section(), recorded=2) == 2
    assert taken == [4, 2]
    assert "threads  2, which the run began with" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert use_threads(section(threads=3), recorded=2) == 3
    assert "threads  3; the run began with 2: its numbers may differ in their last digits" in caplog.text
    caplog.clear()
    assert use_threads(section(threads=2), recorded=2) == 2
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
