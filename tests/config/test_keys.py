"""Every key of every command says what it changes; keys that change nothing in a call are named."""

import pytest

from mtl_cli.config.compose import compose
from mtl_cli.config.keys import (
    EFFECTS,
    RULES,
    Call,
    effect_of,
    given_keys,
    idle_faults,
    idle_keys,
    idle_warnings,
    own_sections,
    result_values,
)  # fmt: skip
from mtl_cli.config.primaries import PRIMARIES

NEEDED = {"eval": ["run=x"], "affinity_run": ["run=x"]}


def leaves(value, key=""):
    if isinstance(value, dict) and value:
        return [leaf for name, item in value.items() for leaf in leaves(item, f"{key}.{name}" if key else name)]
    return [key]


@pytest.fixture(scope="module")
def composed():
    return {primary: compose(primary, NEEDED.get(primary, [])).values for primary in PRIMARIES}


def test_the_table_has_every_command():
    assert EFFECTS.keys() == PRIMARIES.keys()
    assert RULES.keys() <= PRIMARIES.keys()


@pytest.mark.parametrize("primary", PRIMARIES)
def test_every_key_of_a_command_says_what_it_changes(composed, primary):
    lacking = [key for key in leaves(composed[primary]) if not _has_effect(primary, key)]
    assert lacking == []


def _has_effect(primary, key):
    try:
        return effect_of(primary, key) in ("result", "place", "display")
    except KeyError:
        return False


@pytest.mark.parametrize("primary", PRIMARIES)
def test_every_entry_is_the_one_that_counts_for_some_key(composed, primary):
    counts = {
        max((e for e in EFFECTS[primary] if f"{key}.".startswith(f"{e}.")), key=len)
        for key in leaves(composed[primary])
    }
    assert set(EFFECTS[primary]) - counts == set()


def test_what_counts_for_the_result_is_kept_with_its_sections():
    values = {
        "run": {"name": "x"},
        "train": {"steps": 3, "progress": "bar"},
        "fabric": {"devices": 2},
        "new": {"key": 1},
    }
    assert result_values("train", values) == {"train": {"steps": 3}, "new": {"key": 1}}
    assert result_values("train", {"weights": {}, "seed": None}) == {"weights": {}, "seed": None}


def test_a_command_knows_the_sections_that_training_does_not_have():
    assert own_sections("affinity") == {"measure", "k", "branch_at"}
    assert own_sections("train") == set()


@pytest.mark.parametrize("primary", RULES)
def test_every_rule_is_about_keys_that_are_there(composed, primary):
    known = {".".join(key.split(".")[:n]) for key in leaves(composed[primary]) for n in range(1, key.count(".") + 2)}
    assert [key for rule in RULES[primary] for key in rule.keys if key not in known] == []


@pytest.mark.parametrize("key", ["run.name", "train.progress", "data.cache", "trust", "launcher.name", "format"])
def test_places_and_displays_are_no_results(key):
    primary = "zeroshot" if key in ("trust", "format") else "train"
    assert effect_of(primary, key) != "result"


def test_an_unknown_key_has_no_effect_that_anyone_knows():
    with pytest.raises(KeyError):
        effect_of("train", "nothing.like_it")


def idle(primary, *overrides, several=False):
    values = compose(primary, [text for text in overrides if "," not in text or "[" in text]).values
    found = list(idle_keys(primary, Call(values, given_keys(overrides), several)))
    return {fault.key: fault.problem for fault in idle_faults(found)}, idle_warnings(found)


@pytest.mark.parametrize(
    ("primary", "overrides", "key", "says"),
    [
        ("train", ["search.trials=3"], "search.trials", "it is for sweeps: mtl train -m search.trials=20"),
        ("train", ["search={trials: 3}"], "search.trials", "it is for sweeps"),
        ("train", ["launcher=joblib"], "launcher", "it is for sweeps: mtl train -m"),
        ("train", ["baseline_budget=rows"], "baseline_budget", "without baselines=true"),
        ("train", ["train.steps=5", "train.epochs=2"], "train.epochs", "train.steps takes precedence"),
        ("train", ["eval.patience=2", "eval.every=end"], "eval.patience", "the only evaluation is at the end"),
        ("train", ["optim.freeze=encoder", "optim.layer_decay=0.9"], "optim.layer_decay", "trains none of its layers"),
        (
            "train",
            ["optim.freeze=encoder", "optim.head_lr=1e-3", "optim.lr=1e-4"],
            "optim.lr",
            "trains the heads alone",
        ),
        ("affinity", ["train.epochs=2"], "train.epochs", "train.steps takes precedence. Give train.steps=null as well"),
        ("affinity", ["launcher=joblib"], "launcher", "it is for sweeps"),
        ("affinity", ["measure.kind=cosine", "measure.look_ahead=1e-2"], "measure.look_ahead", "does not look ahead"),
        ("affinity_run", ["run=x", "source=metrics", "steps=3"], "steps", "computes nothing new"),
        ("affinity_run", ["run=x", "source=metrics", "checkpoint=last"], "checkpoint", "opens no checkpoint"),
        ("transfer", ["search.trials=3"], "search.trials", "it is for sweeps"),
        ("eval", ["run=x", "task=rte", "weights.rte=2"], "weights.rte", "tasks are weighted in training alone"),
        ("eval", ["run=x", "files={rte: a.jsonl}", "data.root=b"], "data.root", "names every file that is read"),
    ],
)
def test_a_key_that_surely_was_meant_otherwise_is_refused(primary, overrides, key, says):
    faults, _ = idle(primary, *overrides)
    assert list(faults) == [key]
    assert faults[key].startswith("has no effect here: ")
    assert says in faults[key]


@pytest.mark.parametrize(
    ("primary", "overrides", "line"),
    [
        ("train", ["task=rte", "weighting=pcgrad"], "weighting has no effect here: there is one task"),
        ("train", ["task=rte", "sampler.alpha=0.5", "sampler=smoothing"], "sampler.alpha has no effect here"),
        ("train", ["task=rte", "diagnostics.every=5"], "diagnostics.every has no effect here: there is one task"),
        ("train", ["diagnostics.every=null", "diagnostics.params=2"], "diagnostics.params has no effect here"),
        ("train", ["data.source=bundled", "data.root=x"], "data.root has no effect here"),
        ("train", ["eval.every=end", "eval.select=rte"], "eval.select has no effect here"),
        ("eval", ["run=x", "bootstrap=0", "seed=3"], "seed has no effect here"),
    ],
)
def test_a_key_that_may_be_there_for_other_calls_is_reported(primary, overrides, line):
    faults, lines = idle(primary, *overrides)
    assert faults == {}
    assert [text for text in lines if text.startswith(line)]


@pytest.mark.parametrize(
    ("primary", "overrides"),
    [
        ("train", ["search.prune=false", "launcher=inprocess", "eval.patience=null", "baselines=false"]),
        ("train", ["weighting=pcgrad", "sampler=uniform", "diagnostics.every=5", "data.root=x", "train.epochs=2"]),
        ("train", ["eval.every=2", "eval.patience=3", "eval.select=rte", "optim.freeze=2", "optim.layer_decay=0.9"]),
        ("eval", ["run=x", "data.root=x", "seed=3", "task=rte"]),
        ("affinity", ["measure.look_ahead=1e-2", "train.steps=3"]),
        ("affinity_run", ["run=x", "steps=3", "checkpoint=last"]),
    ],
)
def test_keys_with_an_effect_and_what_is_off_are_not_named(primary, overrides):
    assert idle(primary, *overrides) == ({}, [])


def test_a_search_takes_its_keys_and_a_sweep_without_one_does_not():
    assert idle("train", "search.trials=3", "search.random=2", "launcher=joblib", several=True) == ({}, [])
    faults, _ = idle("train", "search.random=2", several=True)
    assert "there is no search without search.trials=N" in faults["search.random"]
    faults, _ = idle("train", "search.trials=3", "search.prune_after=2", several=True)
    assert "nothing is pruned without search.prune=true" in faults["search.prune_after"]
