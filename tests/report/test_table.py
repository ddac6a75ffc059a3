import math

import pytest

from mtl_cli.metrics.scorer import MetricScore, TaskScore
from mtl_cli.report.table import score_table, shown, text_table


def score(task, value, metric="accuracy", note="", low=None, high=None):
    return TaskScore(task, (MetricScore(metric, "validation", value, low, high, 1200),), metric != "mae", note)


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_to_the_right():
    assert text_table(["name", "n"], [["a", "5"], ["longer", "1,200"]]).splitlines() == [
        "name        n",
        "------  -----",
        "a           5",
        "longer  1,200",
    ]


def test_a_column_with_gaps_is_still_one_of_numbers_and_one_with_words_is_not():
    assert text_table(["aaaa", "bbbb"], [["-", "x"], ["1e-4", "1"]]).splitlines()[2:] == ["   -  x", "1e-4  1"]


def test_a_table_without_rows_has_its_head():
    assert text_table(["a", "b"], []) == "a  b\n-  -"


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("accuracy", 0.9156, "91.6"),
        ("pearson", -0.5, "-50.0"),
        ("mae", 0.5, "0.500"),
        ("f1", None, "-"),
        ("f1", math.nan, "-"),
    ],
)
def test_fractions_are_shown_as_per_cent(metric, value, text):
    assert shown(metric, value) == text


def test_a_score_table_has_intervals_rows_and_the_mean():
    scores = [score("rte", 0.5, low=0.4, high=0.6), score("cola", 0.25, "matthews")]
    lines = [line.split() for line in score_table(scores, "the title").splitlines()]
    assert lines[0] == ["the", "title"]
    assert lines[3] == ["rte", "validation", "accuracy", "50.0", "40.0", "..", "60.0", "1,200"]
    assert lines[4] == ["cola", "validation", "matthews", "25.0", "-", "..", "-", "1,200"]
    assert lines[5] == ["mean", "37.5"]


def test_one_task_has_no_mean_and_errors_do_not_enter_it():
    assert "mean" not in score_table([score("rte", 0.5)], "")
    assert score_table([score("rte", 0.5), score("size", 3.0, "mae")], "").splitlines()[-1].split() == ["mean", "50.0"]


def test_a_note_on_the_data_stands_beside_every_score_it_is_about():
    lines = score_table([score("rte", 0.5, note="a sample"), score("cola", 0.5)], "").splitlines()
    assert lines[1].endswith("data")
    assert [line.endswith("a sample") for line in lines[3:]] == [True, False, True]
