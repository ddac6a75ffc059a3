"""The end of a run: the best checkpoint is scored, predictions and summary are written."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_cli.assemble.lambdas import as_written
from mtl_cli.assemble.planned import Planned
from mtl_cli.assemble.scoring import summarised
from mtl_cli.assemble.weights import load_weights
from mtl_cli.errors import RunError
from mtl_cli.metrics.scorer import TaskScore
from mtl_cli.recipes.train.validation import Validation
from mtl_cli.report.table import score_table
from mtl_cli.runs.checkpoint import Checkpoint, Checkpoints, name_of, verified
from mtl_cli.runs.files import explained, write_json
from mtl_cli.runs.place import Place
from mtl_cli.runs.provenance import peak_memory_mib, process_start
from mtl_cli.train.loop import Trained
from mtl_cli.train.select import Selector

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finish:
    """What the end of a run needs of it."""

    place: Place
    """The run folder."""
    planned: Planned
    validation: Validation
    selector: Selector
    checkpoints: Checkpoints
    began: float
    """When the run began, by time.time()."""

    def write(self, trained: Trained) -> None:
        """Score the best checkpoint with intervals, write predictions and summary; the summary last, since it marks the end.

        Raises:
            RunError: the best checkpoint, or the folder, is gone.
            StopNow: a signal came.
        """
        path, config = self.place.path, self.planned.built.opened.bound.config
        if trained.best_step != trained.step:
            load_weights(self.planned.built.model, _best(path, trained.best_step))
            self.validation.forget()
        self.place.check()
        scores = self.validation.score(config.eval.bootstrap, path / "predictions")
        summary = self._summary(trained, scores)
        self.place.check()
        with explained(path):
            write_json(path / "summary.json", summary)
        if not config.checkpoint.keep_optimizer:
            self.checkpoints.drop_training_state()
        chosen = f"best checkpoint: step {trained.best_step} of {trained.step}, by {self.selector.by}"
        log.info("%s", score_table(scores, chosen))

    def _summary(self, trained: Trained, scores: Sequence[TaskScore]) -> dict[str, Any]:
        opened = self.planned.built.opened
        config = opened.bound.config
        first = trained.first_step_at
        return {
            "status": "pruned" if trained.stopped_early and self.selector.pruned else "done",
            **summarised(scores),
            "steps": trained.step,
            "best_step": trained.best_step,
            "stopped_early": trained.stopped_early,
            "select": config.eval.select,
            "selected_by": self.selector.by,
            "split": "validation",
            "weights": as_written(config.weights),
            "seed": config.seed,
            "rows": {
                name: {"train": len(rows.chosen_M), "validation": sum(len(s) - s.unlabelled for s in rows.validation)}
                for name, rows in opened.rows.items()
            },
            "speed": _speed(trained),
            "training_seconds": round(trained.seconds, 3),
            "training_cpu_seconds": round(trained.cpu_seconds, 3),
            "seconds": round(time.time() - self.began, 3),
            "seconds_to_first_step": round(first - process_start(), 3) if first else None,
            "peak_memory_mib": peak_memory_mib(),
        }


def _speed(trained: Trained) -> dict[str, float]:
    if not trained.seconds:
        return {}
    rows, tokens = trained.rows / trained.seconds, trained.tokens / trained.seconds
    return {"examples_per_second": rows, "tokens_per_second": tokens}


def _best(run: Path, step: int) -> Checkpoint:
    """The best checkpoint by its step: the link to it is a copy of what the state knows."""
    path = run / "checkpoints" / name_of(step)
    if not path.is_dir():
        raise RunError(
            f"the best checkpoint, {path}, has gone, so there is nothing to score. Put it back, or remove "
            f"{path.parent} and resume: the run is trained again."
        )
    return verified(path)
