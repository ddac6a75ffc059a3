"""The command that goes on with a run is one that a shell and Hydra read as it was meant."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from mtl_cli.config.compose import compose
from mtl_cli.config.read import read
from mtl_cli.config.schema import TrainConfig
from mtl_cli.recipes.asked import Asked

NAMES = [
    "one", "a/b_c-1.5+2", "sw/weights.rte=0.5,optim.lr=1e-05", "with space", "it's", 'say "so"', "back\\", '\\"', "a\\\\=", "{a: 1}",
    "[a]", "$x ${y}", "007", "1e5", "true", "Null", "nan", "größe=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def asked():
    values = compose("train", ["task=rte", "backbone=tiny"]).values
    return Asked(
        read(TrainConfig, values), values, ["task=rte", "run.name=old", "backbone=tiny"], "rte", ["/my configs"]
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back_whatever_stands_in_it(asked, name):
    words = shlex.split(asked.resume_command(name))
    assert words[:6] == ["mtl", "train", "task=rte", "backbone=tiny", "--config-dir", "/my configs"]
    named, if_exists = OverridesParser.create().parse_overrides(words[6:])
    assert (named.key_or_group, named.value()) == ("run.name", name)
    assert (if_exists.key_or_group, if_exists.value()) == ("run.if_exists", "resume")


def test_a_plain_name_is_written_plainly(asked):
    assert asked.resume_command("grid/one-2").endswith(" run.name=grid/one-2 run.if_exists=resume")
