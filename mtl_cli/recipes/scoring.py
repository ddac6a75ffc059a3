"""Predictions, scores and files of evaluated sets: shared by training and evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric

from mtl_cli.data.encoded import EncodedSet
from mtl_cli.metrics.base import Metric
from mtl_cli.metrics.scorer import MetricScore, TaskScore, mean_score, score_set
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.runs.files import explained, plain, write_text
from mtl_cli.tasks.kinds.base import Decoded, Kind
from mtl_cli.train.predict import predict


@dataclass(frozen=True)
class Scored:
    """A task to score: its kind, metrics, head and sets."""

    name: str
    kind: Kind
    metrics: Mapping[str, Metric]
    head: str
    """Task whose head is used."""
    sets: Sequence[EncodedSet]


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


def score(tasks: Sequence[Scored], scoring: Scoring, predictions: Path | None = None) -> list[TaskScore]:
    """Predict and score every set of every task.

    Args:
        tasks: what to score; a task without labelled rows gets predictions and no score.
        scoring: how.
        predictions: folder for `<task>.<set>.jsonl`; None to write nothing.
    """
    scores = []
    for task in tasks:
        metrics: list[MetricScore] = []
        for encoded in task.sets:
            out_NC = predict(
                scoring.model,
                task.head,
                encoded,
                batch_tokens=scoring.batch_tokens,
                pad_id=scoring.model.sharing.backbone.pad_id,
                fabric=scoring.fabric,
                tick=scoring.tick,
            )
            decoded = task.kind.decode(out_NC)
            gold_N = np.asarray(encoded.labels_N)
            name = encoded.origin.set_name
            metrics += score_set(
                task.metrics, name, gold_N, decoded.prediction_N, len(task.kind.classes), scoring.rounds, scoring.seed
            )
            if predictions is not None:
                _write_predictions(predictions / f"{task.name}.{name}.jsonl", task.kind, gold_N, decoded)
        if metrics:
            better = all(metric.higher_is_better for metric in task.metrics.values())
            scores.append(TaskScore(task.name, tuple(metrics), better, task.sets[0].origin.note))
    return scores


def _write_predictions(path: Path, kind: Kind, gold_N: np.ndarray, decoded: Decoded) -> None:
    with explained(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(
            path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _prediction_rows(kind, gold_N, decoded))
        )


def _prediction_rows(kind: Kind, gold_N: np.ndarray, decoded: Decoded) -> Iterator[dict[str, Any]]:
    for i, (gold, predicted) in enumerate(zip(gold_N.tolist(), decoded.prediction_N.tolist(), strict=True)):
        row: dict[str, Any] = {"row": i, "label": kind.shown(gold), "prediction": kind.shown(predicted)}
        if decoded.scores_NC is not None:
            row["scores"] = {
                name: round(float(p), 6) for name, p in zip(kind.classes, decoded.scores_NC[i], strict=True)
            }
        yield plain(row)


def summarised(scores: Sequence[TaskScore]) -> dict[str, Any]:
    """Scores as they stand in summary.json: fractions, with intervals, row counts and notes."""
    notes = sorted({s.note for s in scores if s.note})
    return {
        "mean": mean_score(scores),
        "note": "; ".join(notes),
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
