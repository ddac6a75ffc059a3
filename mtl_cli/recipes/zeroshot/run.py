"""`mtl zeroshot`: texts and labels -> scores, in the order of the texts, in constant memory."""

from __future__ import annotations

import itertools
import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtl_cli.assemble.fabric import use_threads
from mtl_cli.assemble.scoring import summarised
from mtl_cli.config.paths import outputs_dir
from mtl_cli.config.question import Question
from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.errors import ConfigError, DataError, Fault, Interrupted, OutputError, RunError
from mtl_cli.recipes.blocks import BLOCK, in_blocks
from mtl_cli.recipes.train.interrupt import signals_to
from mtl_cli.recipes.zeroshot.fit import Decision, check_fit, fit, make_choice, survey
from mtl_cli.recipes.zeroshot.models import AskedModels, bound_engine, settled, warn_of_unused
from mtl_cli.recipes.zeroshot.report import OneTally, Result, SeveralTally
from mtl_cli.recipes.zeroshot.task import of_task
from mtl_cli.recipes.zeroshot.texts import LabelSets, Survey, Text, Texts
from mtl_cli.recipes.zeroshot.words import find_words, take_words
from mtl_cli.redact import as_written
from mtl_cli.report.console import logging_to
from mtl_cli.report.gold import coverage_csv
from mtl_cli.runs.files import explained, write_json, write_text
from mtl_cli.runs.folder import RunFolder, check_command, default_name, differences, open_run, read_config
from mtl_cli.runs.formats import read_answer, read_decision, read_environment
from mtl_cli.runs.provenance import environment
from mtl_cli.runs.record import MetricsLog
from mtl_cli.train.loop import Stop
from mtl_cli.zeroshot.answer import DIGITS, Answer, Because
from mtl_cli.zeroshot.calibration import Calibration
from mtl_cli.zeroshot.choice import OneOf
from mtl_cli.zeroshot.labels import empty_faults
from mtl_cli.zeroshot.methods.base import Method, Scores
from mtl_cli.zeroshot.priors.base import Prior
from mtl_cli.zeroshot.sampled import SampledScores
from mtl_cli.zeroshot.verbalizers.base import Verbalizer

log = logging.getLogger(__name__)


def zeroshot(question: Question, write: Callable[[Answer], None]) -> Path | None:
    """Score every text and hand on the answers one by one; those of a file, or where it is asked for, into a run folder too.

    A run folder that was interrupted goes on behind its last whole answer, and hands on the new ones.

    Args:
        question: what is asked.
        write: takes each answer.

    Returns:
        The run folder, if there is one.

    Raises:
        ConfigError: labels, templates, engine, prior or run are not as they must be; there is a run folder of that name already,
            or one of another question.
        DataError: the input is missing or broken, or is not the one that the run began with.
        Interrupted: it was told to stop; what was answered is saved.
    """
    session = _Session(question)
    if session.config.keeps_folder:
        return _into_folder(session, write)
    session.load()
    for answer in session.answers():
        session.tally.add(answer)
        write(answer)
    session.report()
    return None


def _into_folder(session: _Session, write: Callable[[Answer], None]) -> Path:
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
            _Filling(session, folder, write).go()
        return path
    finally:
        folder.discard_unstarted()
        folder.close()


class _Session:
    """One question: labels, texts, engine, and what turns logits into answers."""

    def __init__(self, question: Question) -> None:
        self._given = question.given
        self.question = settled(question)
        config = self.question.config()
        warn_of_unused(config, self._given)
        task = of_task(config)
        self.config = config = task.config if task else config
        _check_folders(config)
        choice = make_choice(config)
        self.labels = LabelSets(config, choice.least_labels)
        if self.labels.common and (faults := empty_faults(self.labels.of(self.labels.common))):
            raise ConfigError(faults)
        self.models = AskedModels(self.question, config)
        self._engine = bound_engine(config)
        self._verbalizer: Verbalizer = self._engine.verbalizer.build(self.models)
        self.prior: Prior = self._engine.prior.build()
        check_fit(config, self.prior, choice, self.labels.common)
        self.choice = choice
        self.texts = Texts(config, self.labels, choice.least_labels, task.rows if task else None)
        self.words: str | None = None
        self._told_same = False
        self.tally = (SeveralTally if config.decide.multi_label else OneTally)(config, task.note if task else "")

    def load(self, decision: Decision | None = None, words: Path | None = None) -> None:
        """Look at the texts, load the engine, and find what is to be found; a decision or words found before are taken."""
        needs = self.prior.needs_sample or bool(getattr(self._engine.method.builder, "needs_sample", False))
        seen = survey(self.config, needs or (words is None and self._verbalizer.needs_sample), self.texts)
        self.held = {kept.text for kept in seen.gold}
        stream = iter(self.texts)
        first = next(stream, None)
        if first is None:
            raise DataError("there are no texts: give --text, --file, or lines on standard input")
        self.stream: Iterator[Text] = itertools.chain([first], stream)
        if self.labels.common and not self.config.input.labels_column:
            self.words = self._worded(words, seen)
        self._method: Method = self._engine.method.build(self.models)
        if self._method.needs_sample:
            self._method.fit(seen.drawn, self.labels.of(self.labels.common))
        self._warn_of_unused(needs)
        self._scorer = self._sampled_scores(seen, decision is not None)
        self.engine = f"{self.config.method.name}, {self._method.identity}"
        self.decision = decision or fit(self.config, self.prior, self.choice, self.labels, seen, self._scorer.of_sample)

    def _warn_of_unused(self, needs_sample: bool) -> None:
        """Report keys whose effect only the engine can tell."""
        name = self.config.method.name
        if self.config.cache and not self._method.remembers:
            log.warning("method %s keeps no scores: cache has no effect", name)
        unused = {
            "calibrate.sample": not needs_sample,
            "backbone": not self.models.uses_backbone and self.config.run is None,
        }
        unused |= dict.fromkeys(("max_length", "batch_tokens", "fabric"), self._method.scores_texts_alone)
        for key in self._given:
            if any(no_effect and f"{key}.".startswith(f"{section}.") for section, no_effect in unused.items()):
                log.warning("%s has no effect: method %s does not use it", key, name)

    def _worded(self, words: Path | None, seen: Survey) -> str | None:
        """Give the labels their words; those that were found now as text."""
        if words is None:
            return find_words(self.config, self._verbalizer, self.labels, seen.drawn)
        take_words(words, self.labels)
        return None

    def _sampled_scores(self, seen: Survey, decided: bool) -> SampledScores:
        """The engine, which keeps the scores of the texts that the decision is found on."""
        sample = [kept.text for kept in seen.sample] if self.prior.needs_sample else []
        texts = [*sample, *(kept.text for kept in seen.gold)]
        # Where a text scores the same in any company, a resumed run asks for nothing that it does not answer.
        texts = [] if decided and self._method.scores_texts_alone else texts
        return SampledScores(self._method, self.labels.of(self.labels.common) if texts else (), texts, in_blocks)

    def answers(self, answered: Sequence[Text] = ()) -> Iterator[Answer]:
        """Answers to the texts that are left, in order.

        Args:
            answered: texts of the first block whose answers are known already. The block is scored whole for the others.
        """
        while texts := list(itertools.islice(self.stream, BLOCK - len(answered))):
            if self._method.scores_texts_alone:
                yield from self._answered(texts)
            else:
                yield from self._answered([*answered, *texts])[len(answered) :]
            answered = ()

    def report(self) -> Result:
        """Tell what the answers came to."""
        result = self.tally.result()
        if self._method.truncated:
            cut = f"{self._method.truncated:,}"
            log.warning("%s texts were longer than the encoder takes and were cut (max_length)", cut)
        if result.rows > result.answered and not self.config.decide.multi_label:
            share = 100 * result.answered / result.rows
            log.info("answered %s of %s texts (%.1f %%)", f"{result.answered:,}", f"{result.rows:,}", share)
        for block in result.blocks:
            log.info("%s", block)
        if "bootstrap" in self._given and not result.scores:
            log.warning("bootstrap has no effect: no row that is scored has a gold label")
        curve = self.config.decide.curve
        if curve and not result.curve:
            log.warning("%s is not written: no row that is scored has a gold label", curve)
        elif curve:
            path = Path(curve).expanduser()
            with explained(path.parent, "decide.curve"):
                write_text(path, coverage_csv(result.curve))
        return result

    def _tell_same(self, logits_NL: np.ndarray, names: Sequence[str]) -> None:
        """Name labels that the first texts say the same of: nothing tells them apart."""
        if self._told_same:
            return
        self._told_same = True
        _, group_L, sizes = np.unique(logits_NL, axis=1, return_inverse=True, return_counts=True)
        for group in np.flatnonzero(sizes > 1)[:3]:
            same = ", ".join(name for name, own in zip(names, group_L.ravel(), strict=True) if own == group)
            log.warning(
                "labels %s get the same score for every text: the engine cannot tell them apart. `mtl doctor` looks why",
                same,
            )

    def _answered(self, texts: list[Text]) -> list[Answer]:
        by_set: dict[tuple[str, ...], list[int]] = {}
        for i, text in enumerate(texts):
            by_set.setdefault(text.labels, []).append(i)
        answers: dict[int, Answer] = {}
        for names, places in by_set.items():
            found = self._scorer.score([texts[i].text for i in places], self.labels.of(names))
            self._tell_same(found.logits_NL, names)
            p_NL = self.decision.choice.probabilities(self.decision.calibration(found.logits_NL))
            for n, (i, p_L) in enumerate(zip(places, p_NL, strict=True)):
                scores = {name: round(float(p), DIGITS) for name, p in zip(names, p_L, strict=True)}
                decided, text = self.decision.choice.decide(p_L, names), texts[i]
                held = text.gold is not None and text.text in self.held
                because = _because(found, n, int(p_L.argmax()), names) if self.config.explain else None
                answers[i] = Answer(text.text, decided, scores, text.gold, held, because)
        return [answers[i] for i in range(len(texts))]


def _check_folders(config: ZeroshotConfig) -> None:
    """Raise `ConfigError` if a file that is written at the end has no folder to be in."""
    files = {"decide.curve": config.decide.curve, "words_file": config.words_file}
    folders = {key: Path(file).expanduser().absolute().parent for key, file in files.items() if file is not None}
    faults = [Fault(key, f"there is no folder {folder}") for key, folder in folders.items() if not folder.is_dir()]
    if faults:
        raise ConfigError(faults)


def _because(scores: Scores, text: int, label: int, names: Sequence[str]) -> Because:
    what, score = scores.driver(text, label)
    return Because(names[label], what, round(score, DIGITS))


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


class _Filling:
    """A run folder while texts are answered into it."""

    def __init__(self, session: _Session, folder: RunFolder, write: Callable[[Answer], None]) -> None:
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
        session.load(known, words if self._folder.started and words.is_file() else None)
        self._folder.place.check()
        if not self._folder.started:
            with explained(self._path, "out.outputs"):
                write_json(self._path / "env.json", self._environment())
            self._folder.begin(session.question.values(), session.question.overrides)
        if session.words is not None:
            with explained(self._path, "out.outputs"):
                write_text(words, session.words)
        if known is None:
            with explained(self._path, "out.outputs"):
                write_json(self._decision, self._decision_values())
        kept, begun = self._take_answered()
        with explained(self._path, "out.outputs"):
            self._predictions.parent.mkdir(exist_ok=True)
        answers = MetricsLog(self._predictions, kept, self._folder.place, "out.outputs")
        stop = Stop()
        try:
            with signals_to(stop):
                for answer in session.answers(begun):
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
        self._finish(session.report())

    def _environment(self) -> dict[str, Any]:
        session = self._session
        arithmetic = {"threads": torch.get_num_threads(), "arithmetic": session.models.arithmetic()}
        return {**environment(), "seed": session.config.seed, "engine": session.engine, **arithmetic}

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

    def _finish(self, result: Result) -> None:
        self._folder.place.check()
        with explained(self._path, "out.outputs"):
            if result.curve:
                write_text(self._path / "curve.csv", coverage_csv(result.curve))
            write_json(
                self._path / "summary.json",
                {
                    "status": "done", **summarised(result.scores), **result.summary(), "decision": self._decision_values(),
                    "engine": self._session.engine, "seconds": round(time.time() - self._began, 1), "environment": environment(),
                },
            )  # fmt: skip

    def _decision_values(self) -> dict[str, Any]:
        decision, labels = self._session.decision, self._session.labels.common
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

    def _take_answered(self) -> tuple[int, list[Text]]:
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
                text = next(self._session.stream, None)
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
