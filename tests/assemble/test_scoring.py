"""Scores from outputs that are there already."""

from types import SimpleNamespace

import numpy as np

from mtl_cli.assemble.scoring import Scored, Scoring, score
from mtl_cli.metrics.regression import MeanAbsoluteError
from mtl_cli.tasks.kinds.base import Decoded


def scored(labels, outputs):
    """A task of numbers whose head's outputs are its predictions."""
    origin = SimpleNamespace(set_name="validation", note="")
    kind = SimpleNamespace(classes=(), decode=lambda out_NC: Decoded(out_NC[:, 0].astype(np.float64), None))
    encoded = SimpleNamespace(labels_N=np.array(labels, np.float32), origin=origin)
    scoring = Scoring(None, None, 8, 0, 1, lambda: None, {("t", "validation"): np.array(outputs)[:, None]})
    return score([Scored("t", kind, {"mae": MeanAbsoluteError()}, "t", [encoded])], scoring)


def test_rows_without_a_label_are_left_out_of_value_and_count():
    (task,) = scored([1.0, np.nan, 3.0], [2.0, 100.0, 3.0])
    (mae,) = task.metrics
    assert (mae.value, mae.rows) == (0.5, 2)


def test_a_task_without_labelled_rows_has_no_score():
    assert scored([np.nan, np.nan], [1.0, 2.0]) == []
