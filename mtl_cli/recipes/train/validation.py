"""Scores of the validation sets while a run trains, and of its best checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path

from mtl_cli.assemble.built import Built
from mtl_cli.assemble.sampling import observations
from mtl_cli.assemble.scoring import Scored, Scoring, score
from mtl_cli.data.sampler.base import Observed, Sampler
from mtl_cli.errors import RunError
from mtl_cli.metrics.scorer import TaskScore
from mtl_cli.report.table import undefined_lines
from mtl_cli.tasks.kinds.base import Predictions
from mtl_cli.train.loop import Stop

log = logging.getLogger(__name__)


class Validation:
    """Scores the model of a run.

    Args:
        built: the model and its rows.
        sampler: hears of every evaluation.
        stop: looked at between passes.
    """

    def __init__(self, built: Built, sampler: Sampler, stop: Stop) -> None:
        self._built, self._sampler, self._stop = built, sampler, stop
        self._predicted: dict[tuple[str, str], Predictions] = {}
        """Predictions of the last evaluation: those of the final scores if the last step is the best one."""
        self._reported: list[str] = []
        """Metrics without a value that were warned of."""

    def evaluate(self) -> list[TaskScore]:
        """Score the model as it is, without intervals; all processes get the same scores.

        Raises:
            RunError: its outputs are not finite.
            StopNow: a signal came.
        """
        fabric = self._built.fabric
        self._predicted = {}
        scores: list[TaskScore] = []
        observed: list[Observed] = []
        failed: RunError | None = None
        if fabric.is_global_zero:
            try:
                scores = self.score(0)
                observed = observations(self._predicted, scores)
            except RunError as error:  # the other processes wait for the scores
                failed = error
        if fabric.world_size > 1:
            scores, observed, failed = fabric.broadcast((scores, observed, failed))
        if failed:
            raise failed
        self._sampler.observe(observed)
        for line in undefined_lines(scores):
            if line not in self._reported:
                self._reported.append(line)
                log.warning("%s", line)
        return scores

    def forget(self) -> None:
        """Compute predictions anew: the model has other weights than at the last evaluation."""
        self._predicted = {}

    def score(self, rounds: int, predictions: Path | None = None) -> list[TaskScore]:
        """Score every validation set.

        Args:
            rounds: bootstrap resamples; 0 for no intervals.
            predictions: folder for them; None to write nothing.
        """
        opened = self._built.opened
        config = opened.bound.config
        tasks = [
            Scored(name, rows.kind, opened.bound.tasks[name].metrics, name, rows.validation)
            for name, rows in opened.rows.items()
            if opened.bound.tasks[name].scored
        ]
        scoring = Scoring(
            self._built.model,
            self._built.fabric,
            config.eval.batch_tokens,
            rounds,
            config.seed,
            self._stop.check,
            self._predicted,
        )
        return score(tasks, scoring, predictions)
