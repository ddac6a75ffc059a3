import pytest

from mtl_cli.config import read as module
from mtl_cli.config.read import read
from mtl_cli.config.schema import TrainConfig
from mtl_cli.errors import ConfigError


def test_values_without_fault_become_a_config(values):
    assert read(TrainConfig, values).weights == {"rte": 1.0, "stsb": 1.0}


def test_no_builder_is_looked_at_where_nothing_is_wrong(values, monkeypatch):
    monkeypatch.setattr(module, "bind", pytest.fail)
    values["sampler"]["name"] = "temprature"  # the recipe tells it
    assert read(TrainConfig, values).sampler.name == "temprature"


def test_faults_of_sections_and_of_families_are_told_together(values):
    values["seed"] = "x"
    values["sampler"]["name"] = "temprature"
    values["schedule"]["warmupp"] = 3
    values["backbone"]["pooling"] = "meen"
    values["tasks"]["stsb"]["kind"]["scale"] = "log"
    with pytest.raises(ConfigError) as caught:
        read(TrainConfig, values)
    assert {fault.key for fault in caught.value.faults} == {
        "seed", "sampler.name", "schedule.warmupp", "backbone.pooling", "tasks.stsb.kind.scale",
    }  # fmt: skip


def test_a_family_or_a_task_that_is_no_mapping_is_told_once(values):
    values["sampler"] = 3
    values["tasks"]["rte"] = "x"
    del values["tasks"]["stsb"]["kind"]
    with pytest.raises(ConfigError) as caught:
        read(TrainConfig, values)
    assert sorted(fault.key for fault in caught.value.faults) == ["sampler", "tasks.rte", "tasks.stsb.kind"]


@pytest.mark.parametrize("tasks", [None, [], "rte"])
def test_tasks_that_are_no_mapping_are_told(values, tasks):
    values["tasks"] = tasks
    with pytest.raises(ConfigError, match=r"^tasks: must be a mapping"):
        read(TrainConfig, values)
