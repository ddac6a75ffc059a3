"""Tasks bound together: heads that they share, label matching."""

import pytest

from mtl_cli.assemble.tasks import bind_tasks, head_names
from mtl_cli.config.compose import compose
from mtl_cli.config.convert import convert_or_raise
from mtl_cli.config.schema import TrainConfig

NLI = {"name": "classification", "labels": ["entailment", "neutral", "contradiction"]}
MERGED = {**NLI, "merge": {"neutral": "not_entailment", "contradiction": "not_entailment"}}
TWO = {"name": "classification", "labels": ["entailment", "not_entailment"]}
MATCHING = {"labels": {"a": "about a", "b": "about b"}, "templates": ["It is {}."]}


def task(kind=TWO, **more):
    return {"kind": kind, "text": ["p", "h"], "label": "label", "metrics": ["accuracy"], "source": {}, **more}


def bound(**tasks):
    """Bound tasks and what is wrong with them, by key."""
    values = compose("train", ["task=rte"]).values
    values |= {"tasks": tasks, "weights": dict.fromkeys(tasks, 1.0)}
    faults = []
    found = bind_tasks(convert_or_raise(TrainConfig, values).tasks, 64, faults)
    return found, {fault.key: fault.problem for fault in faults}


def test_tasks_share_a_head_by_its_name():
    found, faults = bound(a=task(head="same"), b=task(MERGED, head="same"), c=task())
    assert faults == {}
    assert head_names(found) == {"a": "same", "b": "same", "c": "c"}


def test_a_task_may_name_another_one_s_head():
    found, faults = bound(a=task(), b=task(head="a"))
    assert (head_names(found), faults) == ({"a": "a", "b": "a"}, {})


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (task(NLI), "which gives classification of entailment, not_entailment; this task needs classification of "
         "entailment, neutral, contradiction."),
        (task({**TWO, "labels": TWO["labels"][::-1]}), "needs classification of not_entailment, entailment."),
        (task("regression", metrics=["pearson"]), "this task needs regression."),
        (task(input="packed"), "whose input is text; this task's is packed. Give both the same input"),
    ],
)  # fmt: skip
def test_tasks_of_one_head_must_mean_the_same_by_it(own, message):
    _, faults = bound(a=task(head="same"), b={**own, "head": "same"})
    assert list(faults) == ["tasks.b.head"]
    assert faults["tasks.b.head"].startswith("shares the head 'same' with 'a', ")
    assert message.rstrip(".") in faults["tasks.b.head"]


def test_a_merge_that_means_nothing_is_told_by_its_task():
    _, faults = bound(a=task({**NLI, "merge": {"neutrl": "x"}}))
    assert faults == {"tasks.a.kind": "merge names 'neutrl', which is not a label. Did you mean 'neutral'?"}


def test_a_kind_with_labels_needs_their_column_and_a_metric():
    lacking = {key: value for key, value in task().items() if key not in ("label", "metrics")}
    assert bound(a=lacking)[1] == {"tasks.a.label": "missing", "tasks.a.metrics": "must name at least one metric"}


def test_a_kind_without_labels_has_neither():
    plain = {"kind": "unlabelled", "objective": "mlm", "text": ["p"], "source": {}}
    found, faults = bound(a=plain)
    assert (faults, found["a"].scored, found["a"].needs_labels) == ({}, False, False)
    none = "a task of kind unlabelled has none: it is trained on and not scored"
    faults = bound(a={**plain, "label": "x", "metrics": ["accuracy"]})[1]
    assert {key: problem for key, problem in faults.items() if problem == none} == {
        "tasks.a.label": none,
        "tasks.a.metrics": none,
    }


def test_a_kind_of_words_needs_an_input_that_gives_them():
    tags = {"name": "tagging", "labels": ["O", "B-x"]}
    assert bound(a=task(tags, text=["t"], metrics=["tag_accuracy"]))[1] == {
        "tasks.a.input": "tagging needs words, which input 'text' does not give. Use input=words."
    }
    assert bound(a=task(tags, text=["t"], metrics=["tag_accuracy"], input="words"))[1] == {}


def test_a_metric_that_does_not_fit_is_refused_with_those_that_do():
    said = "'accuracy' is for classes; this task predicts numbers. Use pearson, spearman, rmse or mae."
    assert bound(a=task("regression"))[1] == {"tasks.a.metrics": said}


def test_a_matching_task_reads_pairs_of_its_text_and_a_made_up_sentence():
    found, faults = bound(a=task(text=["t", "hypothesis"], matching=MATCHING))
    assert faults == {}
    assert found["a"].task.matching is not None
    assert found["a"].task.text == ("t", "hypothesis")


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"text": ["t"]}, "text", "then hypothesis, which is made; found [t]"),
        ({"text": ["t", "h"]}, "text", "found [t, h]"),
        ({"text": ["hypothesis", "hypothesis"]}, "text", "found [hypothesis, hypothesis]"),
        (
            {"kind": NLI},
            "kind",
            "labels entailment and not_entailment, which must be its labels; found entailment, neutral",
        ),
        ({"matching": {"labels": {"a": "x", "b": []}}}, "matching", "at least two labels need phrases"),
        ({"matching": {**MATCHING, "templates": ["about"]}}, "matching", "a template has {} once"),
        ({"matching": {**MATCHING, "negatives": 2}}, "matching", "negatives must lie between 1 and 1"),
        ({"matching": {"labels": ["one"]}}, "matching", "at least two classes"),
    ],
)
def test_what_cannot_be_matched_is_told_by_its_key(changes, key, message):
    given = {"kind": TWO, "text": ["t", "hypothesis"], "matching": MATCHING} | changes
    _, faults = bound(a=task(**given))
    assert list(faults) == [f"tasks.a.{key}"]
    assert message in faults[f"tasks.a.{key}"]


@pytest.mark.parametrize("mix", ["nli_mix", "zeroshot_mix"])
def test_the_tasks_of_a_shipped_mix_have_one_packed_entailment_head(mix):
    config = convert_or_raise(TrainConfig, compose("train", [f"task={mix}"]).values)
    faults = []
    found = bind_tasks(config.tasks, 64, faults)
    assert faults == []
    assert set(head_names(found).values()) == {"entailment"}
    assert {bound.task.kind.classes for bound in found.values()} == {("entailment", "not_entailment")}
    assert {bound.task.input.name for bound in found.values()} == {"packed"}
