"""Heads of a stored run by name."""

import pytest

from mtl_cli.assemble.tasks import BoundTask
from mtl_cli.errors import ConfigError
from mtl_cli.recipes.evaluate import Heads
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.kinds.regression import Regression
from mtl_cli.tasks.task import Source, Task
from tests.tasks.kinds.columns import targets as targets_of

SOURCE = Source(hub=None, subset=None, folder="x", bundled=None, files={}, sets={})


def run(**tasks):
    """Tasks of a run: a kind and the name of a head each."""
    return Heads({
        name: BoundTask(Task(name, kind, ("a", "b"), "label", (), SOURCE, 32, head=head), {})
        for name, (kind, head) in tasks.items()
    })  # fmt: skip


def fitted(*targets):
    return Regression().fitted(targets_of(targets))


TWO = Classification(labels=["n", "y"])


def test_a_head_is_reached_by_its_name_or_by_a_task_of_it():
    heads = run(a=(TWO, "same"), b=(TWO, "same"), c=(TWO, None))
    assert heads.tasks == {"same": ["a", "b"], "c": ["c"]}
    assert [heads.task(name, "heads.x") for name in ("same", "a", "b", "c")] == ["a", "a", "b", "c"]
    with pytest.raises(ConfigError, match=r"heads\.x: the run has no head 'sam'\. Did you mean 'same'\?"):
        heads.task("sam", "heads.x")


def test_numbers_of_one_head_are_read_by_a_task_s_own_scale():
    heads = run(a=(fitted(0, 5), "same"), b=(fitted(0, 1), "same"))
    assert heads.task("b", "heads.x") == "b"
    with pytest.raises(ConfigError, match=r"'same' is of a, b, each of which has its own scale\. Name one of them"):
        heads.task("same", "heads.x")
    assert run(a=(fitted(0, 5), "same"), b=(fitted(0, 5), "same")).task("same", "heads.x") == "a"
