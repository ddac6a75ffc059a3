"""Where the loop writes: metrics.jsonl, checkpoints, the progress display."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl_cli.metrics.scorer import TaskScore, mean_score
from mtl_cli.report.progress import Progress
from mtl_cli.runs.checkpoint import Checkpoints, Contents
from mtl_cli.runs.record import MetricsLog
from mtl_cli.train.loop import State


class RunRecorder:
    """The recorder of a run folder (`train.loop.Recorder`).

    Args:
        checkpoints: of the run.
        save_encoder: writes the encoder's own folder.
        keep: newest checkpoints to keep beside the best.
        progress: the display.
        chances: step, from 0 -> p_i by task: the expected share of the step's rows.
    """

    def __init__(
        self, checkpoints: Checkpoints, save_encoder: Callable[[Path], None], keep: int, progress: Progress,
        chances: Callable[[int], Mapping[str, float]],
    ) -> None:  # fmt: skip
        self._chances = chances
        self._checkpoints, self._save_encoder, self._keep, self._progress = checkpoints, save_encoder, keep, progress
        self._metrics: MetricsLog | None = None

    def open(self, metrics: MetricsLog) -> None:
        """Begin to record."""
        self._metrics = metrics
        self._progress.start()

    def close(self) -> None:
        """End the display and the file."""
        self._progress.stop()
        if self._metrics is not None:
            self._metrics.close()

    def _write(self, record: dict[str, Any]) -> None:
        assert self._metrics is not None
        self._metrics.write(record)

    def train(self, record: dict[str, Any]) -> None:
        """Add a training record, with lambda_i p_i: the weight a task's rows have beside those of the others over many steps."""
        chances = self._chances(record["step"] - 1)
        effective = {name: weight * chances[name] for name, weight in record["weights"].items()}
        place = list(record).index("weights") + 1
        items = list(record.items())
        record = dict([*items[:place], ("effective_weights", effective), *items[place:]])
        self._write(record)
        self._progress.train(record)

    def gradients(self, record: dict[str, Any]) -> None:
        """Add a look at the gradients."""
        self._write(record)

    def evaluation(self, step: int, scores: Sequence[TaskScore], best: bool) -> None:
        """Add an evaluation record."""
        tasks = {
            s.task: {
                "score": s.value,
                **{f"{m.metric}.{m.set_name}": m.value for m in s.metrics},
                **({"note": s.note} if s.note else {}),
            }
            for s in scores
        }
        undefined = [f"{s.task}, {reason}" for s in scores for reason in s.reasons()]
        record = {"event": "eval", "step": step, "mean": mean_score(scores), "best": best, "tasks": tasks}
        self._write({**record, "undefined": undefined} if undefined else record)
        self._progress.evaluation(step, {s.task: s.value for s in scores}, mean_score(scores), best)

    def progress(self, step: int, losses: Mapping[str, float], rows: int) -> None:
        """Move the display."""
        self._progress.step(step, losses, rows)

    def save(self, step: int, state: State, *, best: bool) -> None:
        """Write a checkpoint, point the links, delete what is not kept."""
        assert self._metrics is not None
        values = {**state.values, "metrics_bytes": self._metrics.size}
        self._checkpoints.save(step, Contents(self._save_encoder, state.model, state.training, values))
        if best:
            self._checkpoints.point("best", step)
        self._checkpoints.prune(self._keep)
