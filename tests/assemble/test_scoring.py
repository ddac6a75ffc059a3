"""Scores from outputs that are there already."""

from types import SimpleNamespace

import numpy as np

from mtl_cli.assemble.scoring import Scored, Scoring, score
from mtl_cli.metrics.regression import MeanAbsoluteError
from mtl_cli.tasks.kinds.base import Predictions
from mtl_cli.tasks.kinds.regression import Regression
from tests.fakes import single


def scored(labels, predicted):
    """A task of numbers."""
    origin = SimpleNamespace(set_name="validation", note="")
    encoded = SimpleNamespace(origin=origin, **single(labels))
    scoring = Scoring(None, None, 8, 0, 1, lambda: None, {("t", "validation"): Predictions(np.array(predicted))})
    return score([Scored("t", Regression(), {"mae": MeanAbsoluteError()}, "t", [encoded])], scoring)


def test_rows_without_a_label_are_left_out_of_value_and_count():
    (task,) = scored([1.0, np.nan, 3.0], [2.0, 100.0, 3.0])
    (mae,) = task.metrics
    assert (mae.value, mae.rows) == (0.5, 2)


def test_a_task_without_labelled_rows_has_no_score():
    assert scored([np.nan, np.nan], [1.0, 2.0]) == []
