"""How labels are read, what of the data is missing or repeated: in `mtl check`, `mtl train`, `mtl eval`, and in the run's record."""

import csv
import json

import pytest

from tests.cli.test_eval import write
from tests.conftest import TINY

TASK = """# @package _global_
# mine
tasks:
  mine:
    kind: {{name: classification, labels: [{labels}]{options}}}
    text: [text]
    label: label
    metrics: [accuracy]
    source: {{files: {{train: {train}, validation: {validation}}}}}
weights: {{mine: 1.0}}
"""
WORDS = ["a soup", "some bread", "a plum", "the tea", "an egg", "two figs", "a bun", "ice"]


def rows(*labels, texts=WORDS):
    return [{"text": text, "label": label} for text, label in zip(texts, labels, strict=False)]


@pytest.fixture
def mine(tmp_path):
    """Words that name a task over two files."""

    def make(train, validation, labels="neg, pos", options=""):
        paths = [
            write(tmp_path / f"{name}.jsonl", found) for name, found in (("train", train), ("validation", validation))
        ]
        folder = tmp_path / "conf/task"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mine.yaml").write_text(
            TASK.format(labels=labels, options=options, train=paths[0], validation=paths[1])
        )
        return ("--config-dir", tmp_path / "conf", "task=mine", *TINY)

    return make


OTHER = [f"other {word}" for word in WORDS]


def test_check_says_how_labels_are_read_and_counts_what_is_missing_or_repeated(mtl, mine):
    train = rows(0, 1, -1, 0, 2, 0, texts=["a", "b", "c", "a", "  ", "d"])
    words = mine(train, rows(0, 2, 0, texts=["a", "e", "f"]), labels="neg, neu, pos")
    result = mtl("check", *words)
    assert result.code == 0, result.err
    for line in (
        "labels   mine: train labels are read as ids: 0 is neg, 1 is neu, 2 is pos, -1 is not a label (1 row)",
        "mine, train: 1 of 6 rows have no label and are left out", "mine, train: 1 row with an empty text",
        "mine, train: 1 of 5 rows have the same texts as an earlier row", "mine, validation: no row has the label neu",
        "mine, validation: 1 of 3 rows have the same texts as a training row, so scores are optimistic",
    ):  # fmt: skip
        assert line in result.err
    assert "validation: 0" not in result.err
    assert " 5/3 " in result.out


def test_nothing_is_reported_of_data_without_a_gap(mtl, mine):
    result = mtl("check", *mine(rows("neg", "pos"), rows("pos", "neg", texts=OTHER)))
    assert (result.code, result.err) == (0, "")


def test_a_run_reports_and_records_the_rows_that_it_uses(mtl, mine):
    words = mine(rows(0, 1, None, None, 1), rows(0, 1, 1, None, texts=["x", "a soup", "y", "z"]))
    result = mtl("train", *words, "train.steps=2", "eval.every=1")
    assert result.code == 0, result.err
    assert "file: mine 3/3 (train/validation rows used)" in result.err
    assert result.err.count("have no label") == 2
    assert result.err.count("texts as a training row") == 1
    data = json.loads((result.run / "env.json").read_text())["data"]
    train, validation = data["mine.train"], data["mine.validation"]
    assert [train[key] for key in ("rows", "used", "unlabelled", "duplicates", "empty_texts")] == [5, 3, 2, 0, 0]
    assert [validation[key] for key in ("rows", "used", "in_train", "absent_classes")] == [4, 3, 1, []]
    assert (train["labels"]["values"], train["labels"]["meaning"]) == ("ids", {"0": "neg", "1": "pos"})
    assert json.loads((result.run / "summary.json").read_text())["rows"]["mine"] == {"train": 3, "validation": 3}


def test_truncation_is_reported_once_a_run(mtl, mine):
    words = mine(rows(0, 1), rows(0, 1, texts=OTHER))
    result = mtl("train", *words, "train.steps=3", "eval.every=1", "data.max_length=8")
    assert result.err.count("mine, train: 1 of 2 rows are truncated to 8 tokens (data.max_length)") == 1
    assert result.err.count("mine, validation:") == 1


def test_labels_that_can_be_read_in_two_ways_are_refused_with_keys_that_work_as_they_stand(mtl, mine):
    words = mine(rows(-1, 0, 1), rows(-1, 0, 1, texts=OTHER), labels="neg, neu, pos")
    refused = mtl("check", *words)
    assert (refused.code, refused.out) == (2, "")
    own, missing = "+tasks.mine.kind.ids=[-1,0,1]", "+tasks.mine.kind.missing=-1"
    assert f"To decide, set {own} or {missing}" in refused.err
    assert "neg 1, neu 1, pos 1" in mtl("check", *words, own).out
    assert "neg 1, neu 1, pos 0" in mtl("check", *words, missing).out


def test_what_validation_leaves_open_is_read_as_the_training_labels_are(mtl, mine):
    words = mine(rows(1, 2, 3), rows(1, 2, texts=OTHER), labels="'1', '2', '3'")
    assert mtl("check", *words).code == 0
    alone = mtl("check", *mine(rows(1, 2), rows(1, 3), labels="'1', '2', '3'"))
    assert (alone.code, "+tasks.mine.kind.values=names or +tasks.mine.kind.values=ids" in alone.err) == (2, True)


def test_splits_that_are_read_differently_are_reported(mtl, mine):
    result = mtl("check", *mine(rows("neg", "pos"), rows(0, 1, texts=OTHER)))
    assert result.code == 0
    differ = "labels differ: those of validation are read as ids: 0 is neg, 1 is pos, those of train as names"
    assert differ in result.err


def test_eval_reads_what_a_file_leaves_open_as_the_run_read_its_training_labels(mtl, mine, tmp_path):
    words = mine(rows(1, 2, 3), rows(1, 2, 3, texts=OTHER), labels="'1', '2', '3'")
    run = mtl("train", *words, "train.steps=1").run
    file = write(tmp_path / "two.jsonl", rows(1, 2))
    result = mtl("eval", f"run={run}", "split=test", f"files={{mine: {file}}}")
    assert result.code == 0, result.err
    (predictions,) = run.glob("evals/*/predictions/*.jsonl")
    assert [json.loads(line)["label"] for line in predictions.read_text().splitlines()] == ["1", "2"]


def test_csv_booleans_are_classes(mtl, mine, tmp_path):
    words = mine([], [])
    for name in ("train", "validation"):
        with (tmp_path / f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([["text", "label"], [f"{name} a", False], [f"{name} b", True]])
    result = mtl("check", *words, *(f"tasks.mine.source.files.{n}={tmp_path}/{n}.csv" for n in ("train", "validation")))
    assert "neg 1, pos 1" in result.out
    assert "read as booleans: False is neg, True is pos" in result.err


@pytest.mark.parametrize("order", [("named", "plain"), ("plain", "named")])
def test_ids_of_a_plain_file_that_contradict_the_names_of_the_other_are_refused(mtl, tmp_path, mine, order):
    import pyarrow
    import pyarrow.parquet

    words = mine(rows(0, 1), rows(1, 0, texts=OTHER))
    info = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["pos", "neg"]}}}}
    table = pyarrow.table({"text": WORDS[:2], "label": [0, 1]}).replace_schema_metadata(
        {"huggingface": json.dumps(info)}
    )
    pyarrow.parquet.write_table(table, tmp_path / "named.parquet")
    paths = {"named": tmp_path / "named.parquet", "plain": tmp_path / "validation.jsonl"}
    files = [
        f"tasks.mine.source.files.{split}={paths[name]}"
        for split, name in zip(("train", "validation"), order, strict=True)
    ]
    result = mtl("check", *words, *files)
    assert (result.code, result.out) == (2, "")
    labels = {"named": ("neg", "pos"), "plain": ("pos", "neg")}[order[0]]
    assert f"0 is {labels[0]} here and {labels[1]} in the training rows" in result.err
    assert "set +tasks.mine.kind.values=ids" in result.err
    assert mtl("check", *words, *files, "+tasks.mine.kind.values=ids").code == 0


def test_texts_that_differ_in_white_space_alone_are_the_same_text(mtl, mine):
    words = mine(
        rows(0, 1, texts=["a soup", "some bread"]), rows(0, 1, 0, texts=["a  soup ", "some\u00a0bread", "A soup"])
    )
    result = mtl("check", *words)
    assert result.code == 0, result.err
    assert "mine, validation: 2 of 3 rows have the same texts as a training row" in result.err
