"""A question of `mtl zeroshot`, and its engine once it is loaded."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from mtl_cli.config.question import Question
from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.errors import ConfigError, DataError, Fault
from mtl_cli.recipes.blocks import BLOCK, in_blocks
from mtl_cli.recipes.zeroshot.fit import Decision, check_fit, fit, make_choice, survey
from mtl_cli.recipes.zeroshot.models import AskedModels, bound_engine, settled, warn_of_unused
from mtl_cli.recipes.zeroshot.report import OneTally, Result, SeveralTally
from mtl_cli.recipes.zeroshot.task import of_task
from mtl_cli.recipes.zeroshot.texts import LabelSets, Survey, Text, Texts
from mtl_cli.recipes.zeroshot.words import find_words, take_words
from mtl_cli.report.gold import coverage_csv
from mtl_cli.runs.files import explained, write_text
from mtl_cli.zeroshot.decide.answer import DIGITS, Answer, Because
from mtl_cli.zeroshot.decide.priors.base import Prior
from mtl_cli.zeroshot.labels.label_set import empty_faults
from mtl_cli.zeroshot.scoring.method import Method, Scores
from mtl_cli.zeroshot.scoring.sampled import SampledScores
from mtl_cli.zeroshot.verbalizers.base import Verbalizer

log = logging.getLogger(__name__)


class Session:
    """One question that is known to be valid: labels, texts, and the builders of its engine; nothing heavy is loaded.

    Args:
        question: what is asked.
    """

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
        self.tally = (SeveralTally if config.decide.multi_label else OneTally)(config, task.note if task else "")

    @property
    def given(self) -> Collection[str]:
        """Keys that the user gave."""
        return self._given

    def load(self, decision: Decision | None = None, words: Path | None = None) -> Loaded:
        """Look at the texts, load the engine, and find what is to be found; a decision or words found before are taken."""
        needs = self.prior.needs_sample or bool(getattr(self._engine.method.builder, "needs_sample", False))
        seen = survey(self.config, needs or (words is None and self._verbalizer.needs_sample), self.texts)
        stream = iter(self.texts)
        first = next(stream, None)
        if first is None:
            raise DataError("there are no texts: give --text, --file, or lines on standard input")
        own = self.labels.common and not self.config.input.labels_column
        found = self._worded(words, seen) if own else None
        method: Method = self._engine.method.build(self.models)
        if method.needs_sample:
            method.fit(seen.drawn, self.labels.of(self.labels.common))
        self._warn_of_unused(method, needs)
        scorer = self._sampled_scores(method, seen, decision is not None)
        decided = decision or fit(self.config, self.prior, self.choice, self.labels, seen, scorer.of_sample)
        held = frozenset(kept.text for kept in seen.gold)
        return Loaded(self, method, scorer, decided, itertools.chain([first], stream), held, found)

    def _warn_of_unused(self, method: Method, needs_sample: bool) -> None:
        """Report keys whose effect only the engine can tell."""
        name = self.config.method.name
        if self.config.cache and not method.remembers:
            log.warning("method %s keeps no scores: cache has no effect", name)
        unused = {
            "calibrate.sample": not needs_sample,
            "backbone": not self.models.uses_backbone and self.config.run is None,
        }
        unused |= dict.fromkeys(("max_length", "batch_tokens", "fabric"), method.scores_texts_alone)
        for key in self._given:
            if any(no_effect and f"{key}.".startswith(f"{section}.") for section, no_effect in unused.items()):
                log.warning("%s has no effect: method %s does not use it", key, name)

    def _worded(self, words: Path | None, seen: Survey) -> str | None:
        """Give the labels their words; those that were found now as text."""
        if words is None:
            return find_words(self.config, self._verbalizer, self.labels, seen.drawn)
        take_words(words, self.labels)
        return None

    def _sampled_scores(self, method: Method, seen: Survey, decided: bool) -> SampledScores:
        """The engine, which keeps the scores of the texts that the decision is found on."""
        sample = [kept.text for kept in seen.sample] if self.prior.needs_sample else []
        texts = [*sample, *(kept.text for kept in seen.gold)]
        # Where a text scores the same in any company, a resumed run asks for nothing that it does not answer.
        texts = [] if decided and method.scores_texts_alone else texts
        return SampledScores(method, self.labels.of(self.labels.common) if texts else (), texts, in_blocks)


class Loaded:
    """The question with its engine, ready to answer.

    Args:
        session: the question.
        method: the engine.
        scorer: of texts, by the engine.
        decision: what turns scores into answers.
        stream: the texts that are left to answer.
        held: texts that the decision was found on.
        words: of the labels, where they were found now; as text.
    """

    def __init__(
        self, session: Session, method: Method, scorer: SampledScores, decision: Decision, stream: Iterator[Text], held: frozenset[str],
        words: str | None,
    ) -> None:  # fmt: skip
        self.session, self.decision, self.stream, self.words = session, decision, stream, words
        self._method, self._scorer, self._held = method, scorer, held
        self._told_same = False

    @property
    def engine(self) -> str:
        """Name and identity, for records."""
        return f"{self.session.config.method.name}, {self._method.identity}"

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
        """Log scores and warnings, write the coverage curve if one is asked for, and return the result."""
        result = self.session.tally.result()
        if self._method.truncated:
            cut = f"{self._method.truncated:,}"
            log.warning("%s texts were longer than the encoder takes and were cut (max_length)", cut)
        if result.rows > result.answered and not self.session.config.decide.multi_label:
            share = 100 * result.answered / result.rows
            log.info("answered %s of %s texts (%.1f %%)", f"{result.answered:,}", f"{result.rows:,}", share)
        for block in result.blocks:
            log.info("%s", block)
        if "bootstrap" in self.session.given and not result.scores:
            log.warning("bootstrap has no effect: no row that is scored has a gold label")
        curve = self.session.config.decide.curve
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
            found = self._scorer.score([texts[i].text for i in places], self.session.labels.of(names))
            self._tell_same(found.logits_NL, names)
            p_NL = self.decision.choice.probabilities(self.decision.calibration(found.logits_NL))
            for n, (i, p_L) in enumerate(zip(places, p_NL, strict=True)):
                scores = {name: round(float(p), DIGITS) for name, p in zip(names, p_L, strict=True)}
                decided, text = self.decision.choice.decide(p_L, names), texts[i]
                held = text.gold is not None and text.text in self._held
                because = _because(found, n, int(p_L.argmax()), names) if self.session.config.explain else None
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
