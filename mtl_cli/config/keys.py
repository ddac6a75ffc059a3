"""Each config key once: whether it changes the result, only where and how it is made, or only what is shown; and when it has an effect.

`EFFECTS` is complete for every command (a test checks it). `RULES` name keys that change nothing in some calls: one that the
user gives there is an error where it is surely a mistake, else a warning. Those of `mtl zeroshot` and `mtl doctor` stand apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mtl_cli.errors import Fault

Effect = Literal["result", "place", "display"]
"""What a key changes: the numbers of the result; where it lies, where data comes from, and what it is computed on; what is printed."""

_TRAIN: Mapping[str, Effect] = {
    "tasks": "result", "weights": "result", "seed": "result", "backbone": "result", "backbone.package": "place",
    # Which runs there are beside this one is nothing that changes this one.
    "seeds": "place", "baselines": "place", "baseline_budget": "place", "launcher": "place", "search": "place",
    "run": "place", "data": "place", "data.max_length": "result", "data.limit": "result",
    # The cut into passes is exact, but dropout draws by pass.
    "batch": "result", "sharing": "result", "weighting": "result", "sampler": "result", "schedule": "result", "optim": "result",
    "train": "result", "train.log_every": "display", "train.progress": "display",
    "eval": "result", "eval.bootstrap": "display",
    "checkpoint": "place", "diagnostics": "display", "fabric": "place", "fabric.precision": "result",
}  # fmt: skip
_STORED: Mapping[str, Effect] = {
    "run": "result", "trust": "place", "checkpoint": "result", "seed": "result", "name": "place",
    "data": "result", "data.cache": "place", "data.hub_timeout": "place", "fabric": "place", "fabric.precision": "result",
}  # fmt: skip
"""Of questions about a finished run."""
_ZEROSHOT: Mapping[str, Effect] = {
    "tasks": "result", "weights": "result", "seed": "result", "backbone": "result", "backbone.package": "place",
    "run": "result", "trust": "place", "checkpoint": "result", "bootstrap": "result",
    "split": "result", "limit": "result", "labels": "result", "templates": "result", "method": "result",
    "verbalizer": "result", "prior": "result", "input": "result", "calibrate": "result", "decide": "result",
    "decide.curve": "place", "out": "place", "words_file": "place", "max_length": "result", "cache": "place",
    "explain": "result", "format": "display", "data": "result", "data.hub_timeout": "place",
    # Answers that are resumed equal those of a call without a stop to the last digit, which depends on how they are computed.
    "batch_tokens": "result", "fabric": "result", "fabric.threads": "place",
}  # fmt: skip
_MEASURE: Mapping[str, Effect] = {"measure": "result", "k": "result", "branch_at": "result"}
EFFECTS: Mapping[str, Mapping[str, Effect]] = {
    "train": _TRAIN,
    "check": {**_TRAIN, "step": "result"},
    "affinity": {**_TRAIN, **_MEASURE, "diagnostics": "result"},
    "affinity_run": {**_STORED, **_MEASURE, "source": "result", "steps": "result", "batch_size": "result"},
    "transfer": {**_TRAIN, "families": "result", "leave_out": "result", "whole": "result", "ask": "result"},
    "eval": {
        **_STORED, "tasks": "result", "weights": "result", "split": "result", "heads": "result", "files": "result",
        "batch_tokens": "place", "bootstrap": "result",
    },
    "zeroshot": _ZEROSHOT,
    "doctor": {**_ZEROSHOT, "doctor": "result", "doctor.suggest": "place", "doctor.shown": "display"},
}  # fmt: skip
"""Command -> key or section -> what it changes of one run; the longest one that fits a key counts. No other place may list keys by
what they change."""


def effect_of(primary: str, key: str) -> Effect:
    """What a key changes. Raises `KeyError` if the table does not have it."""
    table = EFFECTS[primary]
    return table[_entry(table, key)]


def _entry(table: Mapping[str, Effect], key: str) -> str:
    """The longest entry that a key is within. Raises `KeyError`."""
    parts = key.split(".")
    found = next((e for end in range(len(parts), 0, -1) if (e := ".".join(parts[:end])) in table), None)
    if found is None:
        raise KeyError(key)
    return found


def changes_result(primary: str, key: str) -> bool:
    """Whether a key counts for the result; one that this version does not know, of a stored config, does."""
    try:
        return effect_of(primary, key) == "result"
    except KeyError:
        return True


def is_display(primary: str, key: str) -> bool:
    """Whether a key changes only what is shown."""
    try:
        return effect_of(primary, key) == "display"
    except KeyError:
        return False


def result_values(primary: str, values: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    """A composed config without the keys that do not count for the result; sections that have no others are left out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{section}.{name}" if section else str(name)
        if isinstance(value, Mapping) and value:
            if inner := result_values(primary, value, key):
                found[name] = inner
        elif changes_result(primary, key):
            found[name] = value
    return found


def own_sections(primary: str) -> set[str]:
    """Names at the top of a command's config that `mtl train` does not have."""
    return {key.split(".")[0] for key in EFFECTS[primary]} - {key.split(".")[0] for key in _TRAIN}


@dataclass(frozen=True)
class Call:
    """What a command was given."""

    values: Mapping[str, Any]
    """The composed config."""
    given: Sequence[str]
    """Dotted keys that the user names, groups among them."""
    several: bool = False
    """Whether it is a sweep (-m)."""

    def at(self, key: str) -> Any:
        """The value of a dotted key; None if it is not there."""
        value: Any = self.values
        for name in key.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return value


@dataclass(frozen=True)
class Rule:
    """Keys that change nothing in some calls."""

    keys: tuple[str, ...]
    """Dotted keys, or sections of them."""
    idle: Callable[[Call], bool]
    """Whether they change nothing in a call."""
    why: str
    """The reason, and what to give instead."""
    certain: bool = True
    """Whether it is surely a mistake: an error, else a warning."""


def _one_task(call: Call) -> bool:
    return len(call.at("tasks") or ()) == 1


def _no_search(call: Call) -> bool:
    return call.at("search.trials") is None


_SEARCH = ("search.objective", "search.scale", "search.random", "search.prune", "search.prune_after")
_SOURCES = (
    Rule(
        ("data.hub_timeout",), lambda c: c.at("data.source") in ("local", "bundled"),
        "the hub is not used: data.source says where rows come from", certain=False,
    ),
    Rule(
        ("data.root",), lambda c: c.at("data.source") in ("hub", "bundled"),
        "data.source takes rows from elsewhere. Use data.source=auto or local", certain=False,
    ),
)  # fmt: skip
_TRAINING = (
    *_SOURCES,
    Rule(("train.epochs",), lambda c: c.at("train.steps") is not None, "train.steps takes precedence. Give train.steps=null as well"),
    Rule(
        ("eval.patience",), lambda c: c.at("eval.every") == "end",
        "the only evaluation is at the end. Give eval.every=epoch or a number of steps",
    ),
    Rule(("eval.select",), lambda c: c.at("eval.every") == "end", "the only evaluation is at the end", certain=False),
    Rule(
        ("diagnostics",), _one_task, "there is one task: its gradients have nothing to be compared with", certain=False
    ),
    Rule(("diagnostics.params",), lambda c: c.at("diagnostics.every") is None, "diagnostics.every is null", certain=False),
    Rule(("weighting", "sampler"), _one_task, "there is one task: it gets every row and all the weight", certain=False),
    Rule(
        ("optim.layer_decay",), lambda c: c.at("optim.freeze") == "encoder", "optim.freeze=encoder trains none of its layers"
    ),
    Rule(
        ("optim.lr",), lambda c: c.at("optim.freeze") == "encoder" and c.at("optim.head_lr") is not None,
        "optim.freeze=encoder trains the heads alone, by optim.head_lr",
    ),
)  # fmt: skip
_NO_SWEEP = Rule(("search", "launcher"), lambda _: True, "it is for sweeps: mtl train -m")
_RULES_OF_TRAIN: Sequence[Rule] = (
    *_TRAINING,
    Rule(
        ("search",), lambda c: not c.several,
        "it is for sweeps: mtl train -m search.trials=20 'optim.lr=interval(1e-5,1e-3)'",
    ),
    Rule(_SEARCH, _no_search, "there is no search without search.trials=N"),
    Rule(("search.prune_after",), lambda c: not c.at("search.prune"), "nothing is pruned without search.prune=true"),
    Rule(("launcher",), lambda c: not c.several, "it is for sweeps: mtl train -m ..."),
    Rule(
        ("baseline_budget",), lambda c: not c.at("baselines"), "there are no baselines without baselines=true"
    ),
)  # fmt: skip
RULES: Mapping[str, Sequence[Rule]] = {
    "train": _RULES_OF_TRAIN,
    "check": _RULES_OF_TRAIN,
    "affinity": (
        *_TRAINING, _NO_SWEEP,
        Rule(("baseline_budget",), lambda _: True, "a measurement has no baselines"),
        Rule(("measure.look_ahead",), lambda c: c.at("measure.kind") == "cosine", "measure.kind=cosine does not look ahead"),
    ),
    "transfer": (
        *_TRAINING, _NO_SWEEP,
        Rule(("baseline_budget",), lambda _: True, "transfer trains no baselines"),
    ),
    "affinity_run": (
        Rule(
            ("steps", "batch_size", "seed", "data", "measure.every", "measure.look_ahead", "measure.params", "fabric"),
            lambda c: c.at("source") == "metrics", "source=metrics computes nothing new. Use source=checkpoint",
        ),
        Rule(
            ("checkpoint",), lambda c: c.at("source") == "metrics" and not c.at("branch_at"),
            "source=metrics opens no checkpoint. Use source=checkpoint",
        ),
        Rule(("measure.look_ahead",), lambda c: c.at("measure.kind") == "cosine", "measure.kind=cosine does not look ahead"),
        *_SOURCES,
    ),
    "eval": (
        *_SOURCES,
        Rule(("weights",), lambda _: True, "tasks are weighted in training alone"),
        Rule(("seed",), lambda c: c.at("bootstrap") == 0, "it seeds the resampling, and bootstrap=0 resamples nothing", certain=False),
        Rule(
            ("data.root", "data.source"), lambda c: bool(c.at("files")) and set(c.at("files")) >= set(c.at("tasks") or c.at("files")),
            "files= names every file that is read",
        ),
    ),
}  # fmt: skip
"""For each command; the first rule that fits a key counts."""
_OFF = (None, False)
"""Values that ask for nothing: to switch off what is off already is no mistake."""


def idle_keys(primary: str, call: Call) -> Iterator[tuple[str, Rule]]:
    """Of the keys that a call gives, those without effect, each with the rule that says why."""
    for key in dict.fromkeys(call.given):
        if call.at(key) in _OFF:
            continue
        rule = next((r for r in RULES.get(primary, ()) if _within(key, r.keys) and r.idle(call)), None)
        if rule is not None and not _is_default(key, call):
            yield key, rule


def _within(key: str, sections: Iterable[str]) -> bool:
    return any(f"{key}.".startswith(f"{section}.") for section in sections)


def _is_default(key: str, call: Call) -> bool:
    """Whether a launcher is named that works in this very process, as a call without -m does."""
    return key == "launcher" and call.at("launcher.name") == "inprocess"


def idle_faults(found: Iterable[tuple[str, Rule]]) -> list[Fault]:
    """The keys that are surely mistakes."""
    return [Fault(key, f"has no effect here: {rule.why}") for key, rule in found if rule.certain]


def idle_warnings(found: Iterable[tuple[str, Rule]]) -> list[str]:
    """The others, each in a line."""
    return [f"{key} has no effect here: {rule.why}" for key, rule in found if not rule.certain]


def given_keys(overrides: Iterable[str]) -> list[str]:
    """Dotted keys and groups that overrides give values; those of a mapping one by one. Raises `ConfigError`."""
    from mtl_cli.config.compose import parsed

    found: list[str] = []
    for text in overrides:
        override = parsed(text)
        if not override.is_delete():
            value = None if override.is_sweep_override() else override.value()
            found += _leaves(override.key_or_group, value)
    return found


def _leaves(key: str, value: Any) -> list[str]:
    if not isinstance(value, Mapping) or not value:
        return [key]
    return [leaf for name, item in value.items() for leaf in _leaves(f"{key}.{getattr(name, 'text', name)}", item)]
