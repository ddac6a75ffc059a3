"""The run folder of `mtl zeroshot`, while texts are answered into it."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtl_cli.assemble.fabric import use_threads
from mtl_cli.assemble.scoring import summarised
from mtl_cli.config.paths import outputs_dir
from mtl_cli.errors import ConfigError, DataError, Interrupted, OutputError, RunError
from mtl_cli.recipes.blocks import BLOCK
from mtl_cli.recipes.train.interrupt import signals_to
from mtl_cli.recipes.zeroshot.fit import Decision
from mtl_cli.recipes.zeroshot.report import Result
from mtl_cli.recipes.zeroshot.session import Loaded, Session
from mtl_cli.recipes.zeroshot.texts import Text
from mtl_cli.redact import as_written
from mtl_cli.report.console import logging_to
from mtl_cli.report.gold import coverage_csv
from mtl_cli.runs.files import explained, write_json, write_text
from mtl_cli.runs.folder import RunFolder, check_command, default_name, differences, open_run, read_config
from mtl_cli.runs.formats import read_answer, read_decision, read_environment
from mtl_cli.runs.provenance import environment
from mtl_cli.runs.record import MetricsLog
from mtl_cli.train.loop import Stop
from mtl_cli.zeroshot.decide.answer import Answer
from mtl_cli.zeroshot.decide.calibration import Calibration
from mtl_cli.zeroshot.decide.choice import OneOf

log = logging.getLogger(__name__)


def into_folder(session: Session, write: Callable[[Answer], None]) -> Path:
    """Answer into a run folder, a new one or one that was interrupted; returns it."""
    out = session.config.out
    outputs = outputs_dir(out.outputs)
    path = outputs / (out.name or default_name("zeroshot"))
    folder = open_run(path, out.if_exists, "out", outputs)
    try:
        if folder.started:
            _check_same(path, session.question.values())
            if folder.finished:
                log.info("%s is finished: nothing to do", path)
                return path
        with logging_to(path / "log.txt", quiet=False, key="out.outputs"):
            Filling(session, folder, write).go()
        return path
    finally:
        folder.discard_unstarted()
        folder.close()


def _check_same(path: Path, values: Mapping[str, Any]) -> None:
    """Raise `ConfigError` if the folder holds the answers to another question."""
    stored = read_config(path)
    check_command(path, stored, "zeroshot", "out.name")
    found = differences(stored, as_written(values), "zeroshot")
    if found:
        listed = "\n".join(f"  {key}: the run has {old!r}, asked is {new!r}" for key, old, new in found)
        raise ConfigError(
            f"cannot resume {path}: it was started from a different config.\n{listed}\nGive the same values, or another out.name."
        )


class Filling:
    """A run folder while texts are answered into it."""

    def __init__(self, session: Session, folder: RunFolder, write: Callable[[Answer], None]) -> None:
        self._session, self._folder, self._write = session, folder, write
        self._path = folder.path
        self._predictions = self._path / "predictions" / "input.jsonl"
        self._decision = self._path / "decision.json"
        self._began = time.time()

    def go(self) -> None:
        """Answer what is not answered yet, then write the summary: it marks the end."""
        session = self._session
        known, words = self._known_decision(), self._path / "words.yaml"
        if self._folder.started:
            self._compute_as_before()
        loaded = session.load(known, words if self._folder.started and words.is_file() else None)
        self._folder.place.check()
        if not self._folder.started:
            with explained(self._path, "out.outputs"):
                write_json(self._path / "env.json", self._environment(loaded))
            self._folder.begin(session.question.values(), session.question.overrides)
        if loaded.words is not None:
            with explained(self._path, "out.outputs"):
                write_text(words, loaded.words)
        if known is None:
            with explained(self._path, "out.outputs"):
                write_json(self._decision, self._decision_values(loaded.decision))
        kept, begun = self._take_answered(loaded)
        with explained(self._path, "out.outputs"):
            self._predictions.parent.mkdir(exist_ok=True)
        answers = MetricsLog(self._predictions, kept, self._folder.place, "out.outputs")
        stop = Stop()
        try:
            with signals_to(stop):
                for answer in loaded.answers(begun):
                    session.tally.add(answer)
                    answers.write(answer.record())
                    self._write(answer)
                    if session.tally.rows % BLOCK == 0 and stop.signal_number is not None:
                        raise Interrupted(self._kept(), stop.signal_number, resume_command=self._again())
        except BrokenPipeError:
            what = f"the reader of the answers has gone; {self._kept()}"
            raise Interrupted(what, signal.SIGPIPE, resume_command=self._again()) from None
        except OutputError as error:
            raise OutputError(f"{error}; {self._kept()}. To go on: {self._again()}") from None
        finally:
            answers.close()
        self._finish(loaded, loaded.report())

    def _environment(self, loaded: Loaded) -> dict[str, Any]:
        session = self._session
        arithmetic = {"threads": torch.get_num_threads(), "arithmetic": session.models.arithmetic()}
        return {**environment(), "seed": session.config.seed, "engine": loaded.engine, **arithmetic}

    def _compute_as_before(self) -> None:
        """Take the number of threads that the run began with; warn where this machine rounds in another way."""
        before = read_environment(self._path, "out")
        threads, arithmetic = before.threads, before.arithmetic
        if threads is None or arithmetic is None:
            how = "an earlier version of mtl began it, which scored texts in other batches"
            raise RunError(f"{self._path} cannot be resumed: {how}. Start over with another out.name.")
        use_threads(self._session.config.fabric, recorded=threads)
        now = self._session.models.arithmetic()
        if arithmetic != now:
            log.warning(
                "the run began with %s, and resumes with %s: scores of the texts that are left may differ in their last digits "
                "from those of a run without a stop", arithmetic, now,
            )  # fmt: skip

    def _kept(self) -> str:
        return f"{self._session.tally.rows:,} texts are answered and saved in {self._path}"

    def _again(self) -> str:
        return f"the same command with --out {self._session.config.out.name or self._path.name} out.if_exists=resume"

    def _finish(self, loaded: Loaded, result: Result) -> None:
        self._folder.place.check()
        with explained(self._path, "out.outputs"):
            if result.curve:
                write_text(self._path / "curve.csv", coverage_csv(result.curve))
            write_json(
                self._path / "summary.json",
                {
                    "status": "done", **summarised(result.scores), **result.summary(), "decision": self._decision_values(loaded.decision),
                    "engine": loaded.engine, "seconds": round(time.time() - self._began, 1), "environment": environment(),
                },
            )  # fmt: skip

    def _decision_values(self, decision: Decision) -> dict[str, Any]:
        labels = self._session.labels.common
        shift_L = decision.calibration.shift_L
        return {
            "temperature": decision.calibration.temperature,
            "shift": None if shift_L is None else dict(zip(labels, shift_L.tolist(), strict=True)),
            "threshold": decision.threshold,
        }

    def _known_decision(self) -> Decision | None:
        """What an earlier process found."""
        names = self._session.labels.common
        stored = read_decision(self._path, names) if self._folder.started else None
        if stored is None:
            return None
        shift, threshold = stored.shift, stored.threshold
        shift_L = None if shift is None else np.array([shift[name] for name in names], np.float64)
        calibration = Calibration(stored.temperature, shift_L)
        choice = self._session.choice
        return Decision(choice if threshold is None else OneOf(threshold), calibration, threshold)

    def _take_answered(self, loaded: Loaded) -> tuple[int, list[Text]]:
        """Count the answers that are there, each against its text of the input.

        Returns:
            The bytes that they take, and the texts of the block in which they end.
        """
        if not self._predictions.is_file():
            return 0, []
        size = 0
        begun: list[Text] = []
        with self._predictions.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.endswith(b"\n"):
                    break  # cut off while it was written
                answer = Answer.read(read_answer(line, self._predictions, number))
                text = next(loaded.stream, None)
                if text is None or (text.text, text.gold) != (answer.text, answer.gold):
                    raise DataError(
                        f"{self._predictions}:{number}: the answer is to another text than row {number} of the input: "
                        "the input has changed since the run began. Give another out.name."
                    )
                if set(answer.scores) != set(text.labels):
                    raise DataError(
                        f"{self._predictions}:{number}: the answer is not about the labels of its text. Give another out.name."
                    )
                self._session.tally.add(answer)
                size += len(line)
                begun = [*begun, text] if number % BLOCK else []
        log.info("resume   behind %s texts that are answered", f"{self._session.tally.rows:,}")
        return size, begun
