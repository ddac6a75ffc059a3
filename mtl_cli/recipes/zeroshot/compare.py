"""`mtl zeroshot -m`: several engines, or settings of one, on the same texts: a run folder each and one table."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtl_cli.config.question import Point
from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.errors import ConfigError, Fault, RunError
from mtl_cli.metrics.classification import Accuracy, MacroF1, Matthews
from mtl_cli.metrics.paired import PairedScores, paired_scores
from mtl_cli.recipes.zeroshot.models import bound_engine, settled
from mtl_cli.recipes.zeroshot.run import zeroshot
from mtl_cli.report.engines import EngineRow, EngineTable
from mtl_cli.runs.files import explained, plain, write_json
from mtl_cli.zeroshot.decide.answer import Answer

log = logging.getLogger(__name__)


def compare_engines(points: Sequence[Point], folder: Path) -> EngineTable | None:
    """Answer every point's question into its own run folder below one; what is finished is not answered again.

    Args:
        points: their run folders lie below `folder`.
        folder: of all of them.

    Returns:
        The comparison, also written to compare.json; None where texts may have several labels, which are not compared.

    Raises:
        ConfigError: a point cannot be asked; nothing was scored.
        RunError: some points failed; the others are done.
    """
    configs = [settled(point.question).config() for point in points]
    _check(configs)
    failed = []
    for i, point in enumerate(points, start=1):
        log.info("point    %d of %d: %s", i, len(points), point.shown)
        try:
            zeroshot(point.question, lambda _: None)
        except RunError as error:
            log.error("point %s failed: %s", point.shown, error)
            failed.append(point.shown)
    if failed:
        raise RunError(
            f"{len(failed)} of {len(points)} points failed: {', '.join(failed)}. The others are done in {folder}."
        )
    if configs[0].decide.multi_label:
        return None
    runs = [folder / str(config.out.name).rpartition("/")[2] for config in configs]
    found = _table([point.shown for point in points], runs, folder, configs[0])
    with explained(folder, "out.outputs"):
        write_json(folder / "compare.json", plain(dataclasses.asdict(found)))
    return found


def _check(configs: Sequence[ZeroshotConfig]) -> None:
    for config in configs:
        bound_engine(config)
        if not config.tasks and not config.input.texts and config.input.file in (None, "-"):
            raise ConfigError(
                [Fault("input.file", "standard input can be read once only: give --file or --text to compare engines")]
            )
    if (
        len({(config.input.file, tuple(config.input.texts), tuple(config.tasks), config.split) for config in configs})
        > 1
    ):
        raise ConfigError(
            [Fault("input", "the points answer different texts, which cannot be compared: sweep over something else")]
        )


def _table(names: Sequence[str], runs: Sequence[Path], folder: Path, config: ZeroshotConfig) -> EngineTable:
    answered = [_answered(run) for run in runs]
    if any([row.text for row in one] != [row.text for row in answered[0]] for one in answered):
        raise RunError(f"the points in {folder} answer different texts; begin anew under another out.name")
    places: dict[str, int] = {}
    best_SN = np.array([[places.setdefault(row.top, len(places)) for row in one] for one in answered], np.float64)
    kept = [
        n for n, rows in enumerate(zip(*answered, strict=True)) if rows[0].gold and not any(row.held for row in rows)
    ]
    gold_N = np.array([places.setdefault(answered[0][n].gold, len(places)) for n in kept], np.float64)
    scores: list[PairedScores | None] = [None] * len(names)
    if kept:
        metrics = {"accuracy": Accuracy(), "macro_f1": MacroF1(), "matthews": Matthews()}
        occur, flat = np.unique(np.concatenate([gold_N, best_SN[:, kept].ravel()]), return_inverse=True)
        gold, best = flat[: len(kept)].astype(np.float64), flat[len(kept) :].reshape(len(names), -1).astype(np.float64)
        scores = list(paired_scores(metrics, gold, best, max(2, len(occur)), config.bootstrap, config.seed))
    rows = tuple(
        EngineRow(name, own, float((best_N == best_SN[0]).mean()), float(_summary(run)["seconds"]))
        for name, run, own, best_N in zip(names, runs, scores, best_SN, strict=True)
    )
    return EngineTable(rows, len(answered[0]), len(kept), config.bootstrap)


@dataclass(frozen=True)
class _Row:
    """What is compared of one answer."""

    text: int
    """Hash of the text."""
    top: str
    gold: str
    """Empty: there is none."""
    held: bool


def _answered(run: Path) -> list[_Row]:
    path = run / "predictions" / "input.jsonl"
    try:
        with path.open(encoding="utf-8") as stream:
            answers = (Answer.read(json.loads(line)) for line in stream)
            return [_Row(hash(a.text), a.top, a.gold[0] if a.gold else "", a.held) for a in answers]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged: {error}. Remove {run} and repeat the command.") from error


def _summary(run: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError) as error:
        raise RunError(f"{run / 'summary.json'} is damaged: {error}. Remove {run} and repeat the command.") from error
