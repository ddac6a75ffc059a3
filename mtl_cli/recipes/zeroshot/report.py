"""Answers beside their gold labels: what is counted while texts are answered, and what is told at the end."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.metrics.calibration import BINS, Coverage, coverage_curve, expected_calibration_error
from mtl_cli.metrics.classification import Accuracy, MacroF1, Matthews
from mtl_cli.metrics.multilabel import LABEL_SETS
from mtl_cli.metrics.scorer import TaskScore, score_set
from mtl_cli.report.gold import confusion_text, coverage_table
from mtl_cli.report.table import score_table
from mtl_cli.zeroshot.decide.answer import Answer

log = logging.getLogger(__name__)

_TASK = "zeroshot"


@dataclass(frozen=True)
class Result:
    """What all answers came to."""

    rows: int
    held: int
    answered: int
    """Rows with an answer."""
    scores: list[TaskScore]
    """Empty if no row that was not held has a gold label."""
    ece: float | None
    curve: list[Coverage]
    blocks: list[str] = field(default_factory=list)
    """Texts for standard error, in order."""

    def summary(self) -> dict[str, Any]:
        """For summary.json."""
        counts = {"rows": self.rows, "held": self.held, "answered": self.answered}
        return {**counts, "coverage": self.answered / self.rows if self.rows else None, "ece": self.ece}


class Tally(ABC):
    """Counts answers. Without gold labels it does not grow."""

    def __init__(self, config: ZeroshotConfig, note: str = "") -> None:
        self.config, self.note = config, note
        self.rows = self.held = self.answered = 0

    def add(self, answer: Answer) -> None:
        """Count one."""
        self.rows += 1
        self.held += answer.held
        self.answered += bool(answer.decided.label or answer.decided.labels)
        if answer.gold is not None and not answer.held:
            self.count(answer, answer.gold)

    @abstractmethod
    def count(self, answer: Answer, gold: tuple[str, ...]) -> None:
        """Count one that has gold labels."""

    @abstractmethod
    def result(self) -> Result:
        """Scores and tables."""


class _Names:
    """Names -> numbers in the order of their first sight."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def see(self, names: Any) -> None:
        for name in names:
            self.places.setdefault(name, len(self.places))

    def __getitem__(self, name: str) -> int:
        return self.places[name]


class OneTally(Tally):
    """One label a text."""

    def __init__(self, config: ZeroshotConfig, note: str = "") -> None:
        super().__init__(config, note)
        self._names = _Names()
        self._gold: list[int] = []
        self._best: list[int] = []
        self._top: list[float] = []
        self._given: list[bool] = []

    def count(self, answer: Answer, gold: tuple[str, ...]) -> None:
        """Gold label, most probable label and its probability."""
        self._names.see(answer.scores)
        best = answer.top
        self._gold.append(self._names[gold[0]])
        self._best.append(self._names[best])
        self._top.append(answer.scores[best])
        self._given.append(answer.decided.label is not None)

    def result(self) -> Result:
        """Scores of the answers that were given; the calibration error and the curve take every row."""
        gold_N, best_N, given_N = (np.array(x) for x in (self._gold, self._best, self._given))
        top_N = np.array(self._top)
        right_N = gold_N == best_N
        if not len(gold_N):
            return Result(self.rows, self.held, self.answered, [], None, [])
        ece, curve = expected_calibration_error(top_N, right_N), coverage_curve(top_N, right_N)
        blocks, scores = [], []
        if given_N.any():
            scores = [self._scored(gold_N[given_N], best_N[given_N])]
            title = "against the gold labels"
            if not given_N.all():
                share = f"{given_N.sum():,} of {len(given_N):,} rows, coverage {100 * given_N.mean():.1f} %"
                title = f"against the gold labels, where an answer was given ({share})"
            blocks += [score_table(scores, title), self._confusion(gold_N[given_N], best_N[given_N])]
        else:
            blocks.append(f"none of the {len(given_N):,} rows with gold labels was answered")
        blocks.append(
            f"ece      {ece:.3f} (expected calibration error, {BINS} bins of equal mass, {len(gold_N):,} rows)"
        )
        decide = self.config.decide
        if (decide.abstain, decide.target_precision, decide.curve) != (None, None, None):
            blocks.append(coverage_table(curve))
        return Result(self.rows, self.held, self.answered, scores, ece, curve, blocks)

    def _scored(self, gold_N: np.ndarray, best_N: np.ndarray) -> TaskScore:
        metrics = {"accuracy": Accuracy(), "macro_f1": MacroF1(), "matthews": Matthews()}
        # Labels that do not occur change none of the metrics.
        occur, places = np.unique(np.concatenate([gold_N, best_N]), return_inverse=True)
        gold, best = np.split(places.astype(np.float64), 2)
        found = score_set(metrics, "input", gold, best, len(occur), self.config.bootstrap, self.config.seed)
        return TaskScore(_TASK, tuple(found), higher_is_better=True, note=self.note)

    def _confusion(self, gold_N: np.ndarray, best_N: np.ndarray) -> str:
        names = list(self._names.places)
        pairs = Counter((names[g], names[b]) for g, b in zip(gold_N.tolist(), best_N.tolist(), strict=True))
        return confusion_text(names, pairs)


class SeveralTally(Tally):
    """Any number of labels a text."""

    def __init__(self, config: ZeroshotConfig, note: str = "") -> None:
        super().__init__(config, note)
        self._names = _Names()
        self._gold: list[tuple[int, ...]] = []
        self._given: list[tuple[int, ...]] = []
        self._p: list[np.ndarray] = []
        self._asked: list[tuple[int, ...]] = []

    def count(self, answer: Answer, gold: tuple[str, ...]) -> None:
        """Gold labels, given labels, and all probabilities."""
        self._names.see(answer.scores)
        self._gold.append(tuple(self._names[name] for name in gold))
        self._given.append(tuple(self._names[name] for name in answer.decided.labels or ()))
        self._asked.append(tuple(self._names[name] for name in answer.scores))
        self._p.append(np.array(list(answer.scores.values()), np.float32))

    def result(self) -> Result:
        """Scores of the label sets; the calibration error is over all pairs of text and label."""
        if not self._gold:
            return Result(self.rows, self.held, self.answered, [], None, [])
        gold_NL, given_NL = self._matrix(self._gold), self._matrix(self._given)
        labels, config = gold_NL.shape[1], self.config
        found = score_set(LABEL_SETS, "input", gold_NL, given_NL, labels, config.bootstrap, config.seed)
        scores = [TaskScore(_TASK, tuple(found), higher_is_better=True, note=self.note)]
        asked = [np.array(a) for a in self._asked]
        has = np.concatenate([row[a] for row, a in zip(gold_NL, asked, strict=True)])
        ece = expected_calibration_error(np.concatenate(self._p).astype(np.float64), has)
        blocks = [
            score_table(scores, "against the gold labels"),
            f"ece      {ece:.3f} (expected calibration error, {BINS} bins of equal mass, {len(has):,} pairs of text and label)",
        ]
        return Result(self.rows, self.held, self.answered, scores, ece, [], blocks)

    def _matrix(self, rows: list[tuple[int, ...]]) -> np.ndarray:
        found = np.zeros((len(rows), len(self._names.places)), bool)
        for place, names in zip(found, rows, strict=True):
            place[list(names)] = True
        return found
