"""A head that tasks share: trained, scored, asked for labels it never saw."""

import json

import pytest
from safetensors.torch import load_file

from mtl_cli.config.question import Question
from mtl_cli.recipes.zeroshot.models import AskedModels
from mtl_cli.zeroshot.scoring.models import Head
from tests.cli.conftest import command
from tests.conftest import TINY

SHARED = ("task=[rte,match_sst2,qnli]", "+tasks.rte.head=entailment", "+tasks.rte.input=packed", "train.steps=4")


@pytest.fixture(scope="module")
def run(tmp_path_factory, cache):
    """rte and match_sst2 have one head, packed; qnli has its own."""
    folder = tmp_path_factory.mktemp("heads")
    result = command(folder, cache, "train", *TINY, *SHARED, "run.name=one")
    assert result.code == 0, result.err
    return folder / "outputs/one"


def summary(result):
    assert result.code == 0, result.err
    return json.loads((result.run / "summary.json").read_text())


@pytest.fixture
def wnli(tmp_path):
    """Three rows of wnli: words that choose them."""
    rows = [{"sentence1": "a b", "sentence2": "b", "label": i % 2} for i in range(3)]
    path = tmp_path / "data/wnli/validation.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "task=wnli", f"data.root={tmp_path}/data", "bootstrap=0"


def test_a_checkpoint_holds_one_head_for_both(run):
    names = load_file(run / "checkpoints/last/heads.safetensors")
    assert sorted(names) == [f"heads.task_{h}.linear.{p}" for h in ("entailment", "qnli") for p in ("bias", "weight")]


def test_label_matching_has_two_rows_for_each_labelled_text(run):
    found = json.loads((run / "summary.json").read_text())
    assert found["rows"]["match_sst2"]["train"] == 240
    rows = [json.loads(r) for r in (run / "predictions/match_sst2.validation.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == ["entailment", "not_entailment"] * 60
    assert set(rows[0]["scores"]) == {"entailment", "not_entailment"}
    (task,) = [value for name, value in found["tasks"].items() if name == "match_sst2"]
    assert task["note"] == "bundled sample, not GLUE"


def test_a_stored_run_scores_as_it_was_scored(run, mtl):
    found = summary(mtl("eval", f"run={run}"))
    trained = json.loads((run / "summary.json").read_text())
    assert found["heads"] == {"rte": "rte", "match_sst2": "match_sst2", "qnli": "qnli"}
    assert {n: t["score"] for n, t in found["tasks"].items()} == {n: t["score"] for n, t in trained["tasks"].items()}


def test_other_data_are_scored_by_the_head_s_name(run, mtl, wnli):
    result = mtl("eval", f"run={run}", *wnli, "+tasks.wnli.input=packed", "heads={wnli: entailment}")
    assert summary(result)["heads"] == {"wnli": "rte"}
    assert "wnli is scored by the head 'entailment' of rte, match_sst2" in result.err
    named = mtl("eval", f"run={run}", *wnli, "+tasks.wnli.input=packed", "+tasks.wnli.head=entailment")
    assert summary(named)["heads"] == {"wnli": "rte"}


def test_heads_that_several_tasks_share_count_once(run, mtl, wnli):
    packed = mtl("eval", f"run={run}", *wnli, "+tasks.wnli.input=packed")
    assert summary(packed)["heads"] == {"wnli": "rte"}
    assert "wnli is scored by the head of rte, match_sst2" in packed.err
    assert summary(mtl("eval", f"run={run}", *wnli))["heads"] == {"wnli": "qnli"}


def test_rows_are_not_scored_in_a_layout_that_the_head_never_saw(run, mtl, wnli):
    result = mtl("eval", f"run={run}", *wnli, "heads={wnli: entailment}")
    assert result.code == 2
    assert "heads.wnli: head 'entailment' reads rows whose input is packed. Give tasks.wnli.input=packed" in result.err


def test_labels_are_asked_of_the_shared_head_by_its_name(run, mtl):
    ask = ("zeroshot", "method=nli", f"run={run}", "--labels", "film,food", "--text", "What a film!")
    result = mtl(*ask, "method.task=entailment")
    assert result.code == 0, result.err
    assert "head entailment" in result.err
    assert json.loads(mtl(*ask).out) == json.loads(result.out)


def test_a_run_s_heads_are_listed_once_with_the_tasks_that_trained_them(run):
    question = Question((f"run={run}",), {})
    heads = AskedModels(question, question.config()).heads()
    classes = ("entailment", "not_entailment")
    assert heads == (
        Head("entailment", classes, True, "packed", ("rte", "match_sst2")),
        Head("qnli", classes, True, "joint"),
    )


def test_a_head_cannot_mean_two_things(mtl):
    result = mtl("train", *TINY, "task=[rte,cola]", "+tasks.rte.head=one", "+tasks.cola.head=one")
    assert (result.code, result.out) == (2, "")
    assert "tasks.cola.head: shares the head 'one' with 'rte', which gives classification of entailment" in result.err
    assert "this task needs classification of unacceptable, acceptable" in result.err


def test_tasks_of_one_head_may_be_in_groups_and_be_weighed_by_their_gradients(mtl):
    words = ("task=[rte,qnli,mrpc]", "+tasks.rte.head=entailment", "+tasks.qnli.head=entailment", "train.steps=2")
    groups = ("sharing=groups", "sharing.groups=[[rte],[qnli,mrpc]]", "sharing.branch_at=1")
    result = mtl("train", *TINY, *words, *groups, "weighting=pcgrad", "sampler=all_tasks", "diagnostics.every=1")
    assert result.code == 0, result.err
    names = load_file(result.run / "checkpoints/last/heads.safetensors")
    assert {n.split(".")[1] for n in names if n.startswith("heads.")} == {"task_entailment", "task_mrpc"}
