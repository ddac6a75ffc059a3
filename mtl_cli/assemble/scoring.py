"""Predictions, scores and files of evaluated sets: shared by training and evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric

from mtl_cli.data.encoded import EncodedSet
from mtl_cli.errors import ConfigError, Fault, RunError
from mtl_cli.metrics.base import Metric
from mtl_cli.metrics.scorer import MetricScore, TaskScore, mean_score, score_set
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.runs.files import explained, plain, write_text
from mtl_cli.tasks.kinds.base import Kind, Predictions
from mtl_cli.train.predict import predict


@dataclass(frozen=True)
class Scored:
    """A task to score: its kind, metrics, head and sets."""

    name: str
    kind: Kind
    """Of the head."""
    metrics: Mapping[str, Metric]
    head: str
    """Task whose head is used."""
    sets: Sequence[EncodedSet]
    own: Kind | None = None
    """What the labels of the sets are, where it is not the head's kind: the same names in another order, or fewer of them."""


@dataclass(frozen=True)
class Scoring:
    """How to score."""

    model: MultiTaskModel
    fabric: Fabric
    batch_tokens: int
    rounds: int
    """Bootstrap resamples; 0 for none."""
    seed: int
    tick: Callable[[], None]
    predicted: dict[tuple[str, str], Predictions] = field(default_factory=dict)
    """Predictions of this very model by task and set: what is there is not computed again, what is computed is put there."""
    key: str = "run.outputs"
    """Config key by which the folder of the predictions is chosen; empty inside a run folder."""


def score(tasks: Sequence[Scored], scoring: Scoring, predictions: Path | None = None) -> list[TaskScore]:
    """Predict and score every set of every task.

    Args:
        tasks: what to score; a task without labelled rows gets predictions and no score.
        scoring: how.
        predictions: folder for `<task>.<set>.jsonl`; None to write nothing.

    Raises:
        RunError: outputs are not finite.
    """
    scores = []
    for task in tasks:
        metrics: list[MetricScore] = []
        for encoded in task.sets:
            name = encoded.origin.set_name
            predicted = _predicted(task, encoded, scoring)
            own = task.own or task.kind
            gold_N = own.gold(encoded.targets)
            # Class 1, whose F1 is asked for, is the task's own.
            predicted_N = own.own(predicted, task.kind)
            gold, found, classes = gold_N[encoded.labelled_N], predicted_N[encoded.labelled_N], len(task.kind.classes)
            metrics += score_set(task.metrics, name, gold, found, classes, scoring.rounds, scoring.seed)
            if predictions is not None:
                file = _file(predictions, task.name, name)
                _write_predictions(file, task.kind, own, encoded, predicted, scoring.key)
        if metrics:
            better = all(metric.higher_is_better for metric in task.metrics.values())
            scores.append(TaskScore(task.name, tuple(metrics), better, task.sets[0].origin.note))
    return scores


def _predicted(task: Scored, encoded: EncodedSet, scoring: Scoring) -> Predictions:
    key = (task.name, encoded.origin.set_name)
    if key not in scoring.predicted:
        outputs = predict(
            scoring.model,
            task.head,
            encoded,
            batch_tokens=scoring.batch_tokens,
            fabric=scoring.fabric,
            tick=scoring.tick,
        )
        bad = len(np.unique(outputs.row_V[~np.isfinite(outputs.values).all(axis=1)]))
        if bad:
            # Their largest one would be class 0, and its accuracy would look like a score.
            raise RunError(
                f"task '{task.name}', {key[1]}: the model's outputs are not finite for {bad} of {len(outputs)} rows, so "
                "there is nothing to score. Checkpoints from before stay as they are. Lower optim.lr, or use fabric.precision=32-true."
            )
        scoring.predicted[key] = task.kind.decode(outputs, encoded.arrays)
    return scoring.predicted[key]


def _file(predictions: Path, task: str, set_name: str) -> Path:
    """A set is named in YAML, perhaps a stranger's: its file stays in the folder."""
    if "/" in set_name:
        raise ConfigError([Fault(f"tasks.{task}.source", f"a set's name becomes a file's: found '{set_name[:100]}'")])
    return predictions / f"{task}.{set_name}.jsonl"


def _write_predictions(
    path: Path, kind: Kind, own: Kind, encoded: EncodedSet, predicted: Predictions, key: str
) -> None:
    rows = _prediction_rows(kind, own, encoded, predicted)
    with explained(path.parent, key):
        path.parent.mkdir(exist_ok=True)  # no parents: a run folder that has gone is not made again
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _prediction_rows(kind: Kind, own: Kind, encoded: EncodedSet, predicted: Predictions) -> Iterator[dict[str, Any]]:
    numbers_N = np.arange(len(encoded)) if encoded.row_numbers is None else encoded.row_numbers
    gold = [
        value if known else None
        for value, known in zip(own.gold(encoded.targets).tolist(), encoded.labelled_N, strict=True)
    ]
    for i, (number, label, value) in enumerate(zip(numbers_N.tolist(), gold, predicted.values_N.tolist(), strict=True)):
        row = {"row": number, "label": None if label is None else own.shown(label), "prediction": kind.shown(value)}
        scores = kind.shown_scores(predicted, i)
        yield plain(row if scores is None else {**row, "scores": scores})


def summarised(scores: Sequence[TaskScore]) -> dict[str, Any]:
    """Scores as they stand in summary.json: fractions, with intervals, row counts and notes."""
    notes = sorted({s.note for s in scores if s.note})
    return {
        "mean": mean_score(scores),
        "note": "; ".join(notes),
        **({"undefined": undefined} if (undefined := [f"{s.task}, {r}" for s in scores for r in s.reasons()]) else {}),
        "tasks": {
            s.task: {
                "score": s.value,
                "higher_is_better": s.higher_is_better,
                "note": s.note,
                "metrics": [asdict(m) for m in s.metrics],
            }
            for s in scores
        },
    }
