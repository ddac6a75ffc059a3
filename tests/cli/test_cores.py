"""`fabric.threads`, and runs that share their cores with other programs."""

import json

import pytest
import torch

from mtl_cli.threads import Contention, Sample
from tests.conftest import TINY

WORDS = (
    "train",
    *TINY,
    "task=rte",
    "train.steps=2",
    "train.log_every=1",
    "checkpoint.keep_optimizer=true",
    "run.name=one",
)


@pytest.fixture
def taken(monkeypatch):
    """The numbers of threads that were set."""
    numbers = []
    monkeypatch.setattr(torch, "set_num_threads", numbers.append)
    return numbers


@pytest.fixture
def stopped(mtl, tmp_path):
    """A run that has not ended, and began with two threads."""
    assert mtl(*WORDS).code == 0
    path = tmp_path / "outputs/one"
    (path / "summary.json").unlink()
    environment = json.loads((path / "env.json").read_text())
    assert environment["threads"] == torch.get_num_threads()
    (path / "env.json").write_text(json.dumps({**environment, "threads": torch.get_num_threads() + 1}))
    return torch.get_num_threads() + 1


def test_a_resumed_run_takes_the_threads_that_it_began_with(mtl, stopped, taken):
    result = mtl(*WORDS, "run.if_exists=resume")
    assert result.code == 0, result.err
    assert taken == [stopped]
    assert f"threads  {stopped}, which the run began with" in result.err


def test_a_resumed_run_takes_the_threads_that_the_user_gives(mtl, stopped, taken):
    result = mtl(*WORDS, "run.if_exists=resume", f"fabric.threads={stopped + 1}")
    assert result.code == 0, result.err
    assert taken == [stopped + 1]
    assert f"threads  {stopped + 1}; the run began with {stopped}" in result.err


@pytest.mark.parametrize("command", [("eval", "run=outputs/one"), ("check", *TINY, "task=rte")], ids=["eval", "check"])
def test_other_commands_take_the_threads_that_the_user_gives(mtl, stopped, taken, command):
    assert mtl(*command, f"fabric.threads={stopped}").code == 0
    assert taken == [stopped]


def test_answers_of_a_resumed_run_take_the_threads_that_the_user_gives(mtl, tmp_path, taken):
    words = ("zeroshot", "backbone=tiny", "--labels", "a,b", "--text", "x", "--out", "one")
    assert mtl(*words).code == 0
    (tmp_path / "outputs/one/summary.json").unlink()
    before = torch.get_num_threads()
    assert mtl(*words, "out.if_exists=resume", f"fabric.threads={before + 1}").code == 0
    assert set(taken) == {before + 1}


def test_a_run_that_waits_for_cores_says_so_once_with_the_remedy(mtl, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    clock = iter(range(100))

    def crowded() -> Sample:
        tens = 10.0 * next(clock)
        return Sample(tens, tens, 2 * tens)

    monkeypatch.setattr("mtl_cli.train.loop.Contention", lambda _: Contention(2, sample=crowded))
    result = mtl(*WORDS)
    assert result.code == 0
    assert result.err.count("other programs keep 1.0 of 2 cores busy") == 1
    assert "fabric.threads=1" in result.err
