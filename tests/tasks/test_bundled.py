"""The sample that comes with the package."""

import itertools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import mtl_cli
from mtl_cli.assemble.tasks import bind_tasks
from mtl_cli.config.compose import compose
from mtl_cli.config.convert import convert_or_raise
from mtl_cli.config.schema import TrainConfig
from mtl_cli.tasks.files import read_file
from tests.tasks.kinds.columns import labels_of

NAMES = ("cola", "sst2", "mrpc", "stsb", "qnli", "rte")


@pytest.fixture(scope="module")
def tasks():
    config = convert_or_raise(TrainConfig, compose("train", ["task=glue_mix"]).values)
    faults = []
    bound = bind_tasks(config.tasks, 128, faults)
    assert not faults
    return {name: b.task for name, b in bound.items()}


@pytest.fixture(scope="module")
def rows():
    folder = Path(mtl_cli.__file__).parent / "tasks" / "bundled"
    return {
        (n, s): [r.values for r in read_file(folder / n / f"{s}.jsonl")] for n in NAMES for s in ("train", "validation")
    }


def words(text):
    return re.findall(r"\w+", text.lower())


def test_each_task_of_the_mix_has_a_sample(tasks):
    assert sorted(tasks) == sorted(NAMES)
    assert {name: t.source.bundled for name, t in tasks.items()} == {name: name for name in NAMES}


@pytest.mark.parametrize(("split", "least"), [("train", 96), ("validation", 48)])
@pytest.mark.parametrize("name", NAMES)
def test_a_split_has_enough_rows_with_texts_and_labels(tasks, rows, name, split, least):
    found = rows[name, split]
    assert len(found) >= least
    assert all(row[column].strip() for row in found for column in tasks[name].text)
    assert None not in labels_of(tasks[name].kind, [row["label"] for row in found])


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("name", [n for n in NAMES if n != "stsb"])
def test_no_class_has_less_than_two_fifths_of_a_split(rows, name, split):
    shares = np.array(list(Counter(row["label"] for row in rows[name, split]).values())) / len(rows[name, split])
    assert len(shares) == 2
    assert shares.min() >= 0.4


@pytest.mark.parametrize("split", ["train", "validation"])
def test_similarities_cover_the_whole_range_evenly(rows, split):
    values = np.array([row["label"] for row in rows["stsb", split]])
    assert values.min() >= 0
    assert values.max() <= 5
    shares = np.histogram(values, bins=5, range=(0, 5))[0] / len(values)
    assert shares.min() >= 0.1
    assert shares.max() <= 0.3


@pytest.mark.parametrize("name", NAMES)
def test_no_two_rows_are_near_duplicates_within_or_across_splits(tasks, rows, name):
    both = [*rows[name, "train"], *rows[name, "validation"]]
    bags = [set(words(" ".join(row[column] for column in tasks[name].text))) for row in both]
    closest = max(len(a & b) / len(a | b) for a, b in itertools.combinations(bags, 2))
    assert closest < 0.5


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("name", NAMES)
def test_no_two_texts_of_a_split_begin_with_the_same_four_words(tasks, rows, name, split):
    begins = Counter(tuple(words(row[column])[:4]) for row in rows[name, split] for column in tasks[name].text)
    assert [begin for begin, count in begins.items() if count > 1] == []


@pytest.mark.parametrize("name", [n for n in NAMES if n != "stsb"])
def test_the_label_cannot_be_read_off_the_length_or_the_order_of_the_rows(rows, tasks, name):
    found = rows[name, "train"]
    labels = np.array([row["label"] for row in found])
    lengths = [sum(len(words(row[column])) for column in tasks[name].text) for row in found]
    assert abs(np.corrcoef(labels, lengths)[0, 1]) < 0.5
    assert abs(np.corrcoef(labels, np.arange(len(labels)))[0, 1]) < 0.3
