"""What is recorded and reported of the data of a run."""

import dataclasses
import json
import math

import numpy as np
import pytest

from mtl_cli.assemble.data_facts import data_facts, data_line, describe_data, recorded_readings, report_data
from mtl_cli.assemble.tasks import BoundTask
from mtl_cli.runs.formats import Environment, read_environment
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.kinds.column import Reading
from tests.data.fakes import encoded_set, pair_task

THREE = BoundTask(pair_task(Classification(labels=["a", "b", "c"])), {})
IDS = Reading("ids", {"0": "a", "1": "b"}, {"-1": 2}, complete=False)


def rows(hashes, labels, reading=IDS, name="train"):
    one = encoded_set([3] * len(labels), np.array(labels, np.float32))
    origin = dataclasses.replace(one.origin, set_name=name)
    return dataclasses.replace(one, origin=origin, hashes_N=np.array(hashes, np.uint64), reading=reading)


TRAIN = rows([5, 6, 6, 7, 0, 8], [0, 1, 0, math.nan, 1, 0])
VALIDATION = rows([6, 7, 9, 9, 0], [0, 1, 0, 0, math.nan], name="validation")


def facts(used=None, validation=VALIDATION):
    chosen = np.flatnonzero(~np.isnan(TRAIN.targets["label"].values)) if used is None else np.array(used)
    return data_facts({"nli": THREE}, {"nli": [validation]}, "validation", {"nli": (TRAIN, chosen)})


def test_rows_are_counted_among_those_that_are_used():
    train, validation = facts()
    assert (train.rows, train.used, train.unlabelled, train.empty_texts, train.duplicates) == (6, 5, 1, 1, 1)
    assert (validation.rows, validation.used, validation.unlabelled, validation.empty_texts) == (5, 4, 1, 0)
    # Hash 7 is of a training row without a label, which no model sees.
    assert (validation.in_train, validation.duplicates) == (1, 1)
    assert (train.absent_classes, validation.absent_classes) == (("c",), ("c",))


def test_a_limit_counts():
    train, validation = facts(used=[0, 5])
    assert (train.used, train.duplicates, train.absent_classes, validation.in_train) == (2, 0, ("b", "c"), 0)


def test_each_number_has_a_line_and_zeros_have_none(caplog):
    caplog.set_level("INFO")
    report_data(facts())
    assert caplog.messages == [
        "labels   nli: train labels are read as ids: 0 is a, 1 is b, -1 is not a label (2 rows)",
        "nli, train: 1 of 6 rows have no label and are left out",
        "nli, train: no row has the label c",
        "nli, train: 1 row with an empty text",
        "nli, train: 1 of 5 rows have the same texts as an earlier row",
        "nli, validation: 1 of 5 rows have no label and are left out",
        "nli, validation: no row has the label c",
        "nli, validation: 1 of 4 rows have the same texts as a training row, so scores are optimistic",
        "nli, validation: 1 of 4 rows have the same texts as an earlier row",
    ]
    caplog.clear()
    whole = rows([1, 2, 3], [0, 1, 2], Reading("names", complete=True))
    report_data(data_facts({"nli": THREE}, {"nli": [whole]}, "validation"))
    assert caplog.messages == []


def test_readings_that_differ_are_reported(caplog):
    report_data(facts(validation=dataclasses.replace(VALIDATION, reading=Reading("names"))))
    assert "nli: labels differ: those of validation are read as names, those of train as ids" in caplog.messages


def test_the_line_of_the_data_counts_the_rows_that_are_used():
    assert data_line(facts()) == "file: nli 5/4 (train/validation rows used)"
    assert data_line(facts(used=[0])) == "file: nli 1/4 (train/validation rows used)"


def test_a_record_gives_the_readings_of_the_training_rows_back(tmp_path):
    (tmp_path / "env.json").write_text(json.dumps({"data": describe_data(facts())}))
    assert recorded_readings(read_environment(tmp_path).data) == {"nli": IDS}
    assert recorded_readings(Environment().data) == {}


@pytest.mark.parametrize("record", [{"fingerprint": "x"}, {"fingerprint": "x", "task": "nli", "split": "train"}])
def test_a_record_of_before_gives_none(tmp_path, record):
    (tmp_path / "env.json").write_text(json.dumps({"data": {"nli.train": record}}))
    assert recorded_readings(read_environment(tmp_path).data) == {}
