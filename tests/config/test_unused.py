"""Keys that are named and change nothing in a zero-shot call."""

import pytest

from mtl_cli.config.question import DoctorQuestion, Question
from mtl_cli.config.unused import unused_keys

TEXT = {"input.texts": ["x"], "labels": ["a", "b"]}
FILE = {"input.file": "rows.csv", "labels": ["a", "b"]}
TASK = {"labels": ["a", "b"]}


def unused(*overrides, of=Question, **flags):
    question = of(overrides, flags)
    return dict(unused_keys(question.config(), question.given))


@pytest.mark.parametrize(
    ("overrides", "flags", "keys", "reason"),
    [
        (("split=test",), FILE, ["split"], "no task is named whose rows would be read"),
        (("data.root=x", "data.source=local"), FILE, ["data.root", "data.source"], "no task is named"),
        (("+weights.rte=2",), FILE, ["weights.rte"], "tasks are weighted in training alone"),
        (("checkpoint=last",), FILE, ["checkpoint"], "no run is named"),
        (("backbone=tiny", "backbone.width=48", "run=outputs/x"), FILE, ["backbone", "backbone.width"], "the run brings its own encoder"),
        (("limit=2", "input.text_column=t"), TEXT, ["limit", "input.text_column"], "--text"),
        (("task=rte", "input.text_column=t"), TASK, ["input.text_column"], "the task names its column of text"),
        (("decide.threshold=0.3",), FILE, ["decide.threshold"], "it is for decide.multi_label=true"),
        (("decide.confidence=0.8",), {**FILE, "decide.hold": 9}, ["decide.confidence", "decide.hold"], "target_precision is not set"),
        (("out.if_exists=resume",), TEXT, ["out.if_exists"], "no run folder is kept"),
        (("out.if_exists=resume",), FILE, ["out.if_exists"], "a run folder without a name is new"),
        (("format=table",), {**FILE, "out.name": "one"}, ["format"], "with --out the answers are written to the run folder alone"),
    ],
)  # fmt: skip
def test_a_key_without_effect_is_named_with_the_reason(overrides, flags, keys, reason):
    found = unused(*overrides, **flags)
    assert list(found) == keys
    assert all(reason in why for why in found.values())


@pytest.mark.parametrize(
    ("overrides", "flags"),
    [
        (("task=rte", "split=test", "limit=3", "data.root=x"), TASK),
        (("run=outputs/x", "checkpoint=last"), FILE),
        (("backbone=tiny", "limit=3", "seed=2"), FILE),
        (("decide.multi_label=true", "decide.threshold=0.3"), TEXT),
        (("decide.hold=60",), {**FILE, "decide.target_precision": 0.9}),
        (("out.if_exists=resume",), {**TEXT, "out.name": "one"}),
        (("format=table",), FILE),
    ],
)
def test_a_key_with_an_effect_is_not_named(overrides, flags):
    assert unused(*overrides, **flags) == {}


def test_the_doctor_names_what_matters_to_answers_alone():
    found = unused("out.name=x", "decide.abstain=0.5", "seed=3", "doctor.sample=7", of=DoctorQuestion, **FILE)
    assert list(found) == ["out.name", "decide.abstain"]
    assert set(found.values()) == {"the doctor looks at labels and answers no text"}
    assert list(unused("split=test", "out.folder=never", of=DoctorQuestion, **FILE)) == ["out.folder", "split"]
