import copy
import functools

import pytest

from mtl_cli.config.compose import compose
from mtl_cli.config.convert import convert
from mtl_cli.config.schema import TrainConfig


@functools.cache
def _composed(*overrides):
    return compose("train", overrides).values


@pytest.fixture
def values():
    """Plain values of `mtl train task=[rte,stsb]`, free to change."""
    return copy.deepcopy(_composed("task=[rte,stsb]"))


@pytest.fixture
def problems():
    """Values -> what is wrong with them, by dotted key."""

    def found(values, cls=TrainConfig):
        faults = []
        convert(cls, values, faults)
        return {fault.key: fault.problem for fault in faults}

    return found
