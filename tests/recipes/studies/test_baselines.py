"""What a single-task baseline is, and when it is another one."""

import copy
import functools

import pytest

from mtl_cli.config.compose import compose
from mtl_cli.config.read import read
from mtl_cli.config.schema import TrainConfig
from mtl_cli.errors import ConfigError
from mtl_cli.recipes.studies.baselines import Facts, baselines_of

FACTS = Facts(
    {"rte": 300, "mrpc": 100}, {"rte.train": "x", "rte.validation": "y", "mrpc.train": "z"}, "tiny", "32-true", "0"
)


@functools.cache
def _values(words):
    return compose("train", list(words)).values


def planned(*words, facts=FACTS, task="task=[rte,mrpc]"):
    values = copy.deepcopy(_values(("backbone=tiny", task, "batch.size=10", *words)))
    config = read(TrainConfig, values)
    return {one.task: one for one in baselines_of(values, config, facts)}


def names(*words, **more):
    return {task: one.name for task, one in planned(*words, **more).items()}


def test_a_baseline_is_a_config_of_one_task_with_the_rest_as_in_the_run():
    one = planned("optim.lr=3e-4", "weights.rte=2", "weighting=static", "sharing.head_dropout=0.3", "seed=7")["rte"]
    config = read(TrainConfig, one.values)
    assert (list(config.tasks), config.weights, config.optim.lr, config.seed) == (["rte"], {"rte": 1.0}, 3e-4, 7)
    assert (config.sampler.name, config.sharing.options["head_dropout"]) == ("uniform", 0.3)
    assert config.eval.select == "rte"


def test_of_equal_steps_both_are_trained_and_scored_equally_often():
    config = read(TrainConfig, planned("train.epochs=2")["mrpc"].values)
    assert (config.train.steps, config.train.epochs, config.eval.every) == (80, None, 40)


def test_of_equal_rows_a_baseline_has_its_share_of_the_steps_and_as_many_evaluations():
    found = planned("train.steps=80", "eval.every=20", "baseline_budget=rows")
    lengths = {t: (one.values["train"]["steps"], one.values["eval"]["every"]) for t, one in found.items()}
    assert lengths == {"rte": (60, 15), "mrpc": (20, 5)}
    assert planned("train.steps=1", "baseline_budget=rows")["mrpc"].values["train"]["steps"] == 1


def test_a_sampler_that_goes_by_the_scores_has_no_rows_in_expectation():
    with pytest.raises(ConfigError, match=r"baseline_budget: sampler 'metric' goes by the scores.*budget=steps"):
        planned("sampler=metric", "baseline_budget=rows")


def test_what_only_several_tasks_need_makes_no_other_baseline():
    first = names()
    assert names("sampler=uniform", "weights.rte=3", "run.name=x", "train.log_every=1", "checkpoint.keep=2") == first
    three = Facts({**FACTS.rows, "sst2": 5}, {**FACTS.fingerprints, "sst2.train": "w"}, "tiny", "32-true", "0")
    more = names("train.steps=120", "eval.every=end", facts=three, task="task=[mrpc,sst2,rte]")
    assert {task: more[task] for task in first} == names("train.steps=120", "eval.every=end")


@pytest.mark.parametrize(
    "word", ["optim.lr=5e-5", "seed=2", "batch.size=11", "data.max_length=64", "train.steps=7", "schedule=cosine"]
)
def test_what_can_change_the_result_makes_another_baseline(word):
    assert not set(names(word).values()) & set(names().values())


def test_other_rows_of_one_task_make_another_baseline_of_that_task_alone():
    other = Facts(FACTS.rows, {**FACTS.fingerprints, "rte.train": "changed"}, "tiny", "32-true", "0")
    before, after = names(), names(facts=other)
    assert before["rte"] != after["rte"]
    assert before["mrpc"] == after["mrpc"]


@pytest.mark.parametrize(("select", "own"), [("mean", "rte"), ("mrpc", "rte"), ("rte/accuracy", "rte/accuracy")])
def test_the_best_checkpoint_is_chosen_by_the_task_itself(select, own):
    assert planned(f"eval.select={select}")["rte"].values["eval"]["select"] == own


def test_a_baseline_has_the_head_that_its_task_has_in_the_run():
    shared = planned("+tasks.rte.head=same")["rte"]
    assert read(TrainConfig, shared.values).tasks["rte"].head == "same"
    assert shared.name != names()["rte"]  # a head's first weights follow from its name
    assert names("+tasks.rte.head=same")["mrpc"] == names()["mrpc"]
