"""`mtl doctor`: labels -> what is wrong with them, before they are asked. Legend: L labels, P phrases, S sampled texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtl_cli.config.question import DoctorQuestion
from mtl_cli.config.schema_zeroshot import DoctorConfig
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.recipes.blocks import in_blocks
from mtl_cli.recipes.zeroshot.fit import make_choice
from mtl_cli.recipes.zeroshot.models import AskedModels, bound_engine, settled, warn_of_unused
from mtl_cli.recipes.zeroshot.task import of_task
from mtl_cli.recipes.zeroshot.texts import LabelSets, Survey, Texts
from mtl_cli.recipes.zeroshot.words import find_words
from mtl_cli.report.doctor import Share
from mtl_cli.runs.files import explained, write_text
from mtl_cli.tasks.files import Row
from mtl_cli.zeroshot.decide.priors.base import Prior, Sampled
from mtl_cli.zeroshot.doctor.base import Encode, Evidence, Finding, Limits, Meanings, Scored, Spoken, Vectors
from mtl_cli.zeroshot.doctor.checks import examined
from mtl_cli.zeroshot.doctor.senses import meanings
from mtl_cli.zeroshot.doctor.separation import first_shares
from mtl_cli.zeroshot.doctor.suggest import Suggestion, as_yaml, suggestions
from mtl_cli.zeroshot.doctor.twins import mean_vectors
from mtl_cli.zeroshot.labels.label_set import Label, make_labels
from mtl_cli.zeroshot.lexicon.wordnet import WordNet
from mtl_cli.zeroshot.scoring.method import Method
from mtl_cli.zeroshot.verbalizers.base import Verbalizer
from mtl_cli.zeroshot.verbalizers.wordnet import DEBIAN

_UNRELATED = (
    "river", "tax", "violin", "anger", "bread", "planet", "football", "bridge", "doctor", "paint", "winter", "law", "engine", "goat",
    "dream", "copper", "wedding", "desert", "poem", "harbour",
)  # fmt: skip
"""Words that have little to do with one another: their cosines show where an encoder's scale begins."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found about the labels of a question."""

    engine: str
    labels: int
    texts: int
    """That were scored; 0: there are none, or the engine may not be asked just to look."""
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]
    """What was not looked at, and why."""
    suggested: str
    """A file of labels."""
    changed: bool
    """Whether it says anything that the labels do not."""
    shares: tuple[Share, ...]
    """Of the best labels, now and as suggested; none without texts or changes."""

    def record(self) -> dict[str, Any]:
        """For machines."""
        found = [
            {"severity": f.severity, "check": f.check, "labels": f.labels, "found": f.found, "do": f.do}
            for f in self.findings
        ]
        shares = {one.label: {"now": round(one.now, 6), "suggested": round(one.then, 6)} for one in self.shares}
        return {
            "engine": self.engine, "labels": self.labels, "texts": self.texts, "findings": found, "left_out": self.left_out,
            "suggested": self.suggested, "shares": shares,
        }  # fmt: skip


def doctor(question: DoctorQuestion) -> Diagnosis:
    """Look at the labels of a question as its engine takes them, and write the suggestion if it is asked for.

    Raises:
        ConfigError: labels, templates or engine are not as they must be.
        DataError: the input is missing or broken.
        RunError: the suggestion cannot be written.
    """
    examination = _Examination(question)
    found = examination.diagnosis()
    path = examination.config.doctor.suggest
    if path is not None:
        folder = Path(path).expanduser().parent
        with explained(folder, "doctor.suggest"):
            write_text(Path(path).expanduser(), found.suggested)
    return found


class _Examination:
    """One question while its labels are looked at."""

    def __init__(self, question: DoctorQuestion) -> None:
        asked = settled(question)
        assert isinstance(asked, DoctorQuestion)
        config = asked.config()
        warn_of_unused(config, question.given)
        task = of_task(config)
        self.config: DoctorConfig = (
            dataclasses.replace(config, labels=task.config.labels, input=task.config.input) if task else config
        )
        self._choice = make_choice(self.config)
        sets = LabelSets(self.config, self._choice.least_labels)
        if not sets.common:
            raise ConfigError([Fault("labels", "there are none to look at: rows have their own. Give --labels")])
        engine, self._models = bound_engine(self.config), AskedModels(asked, self.config)
        self._prior: Prior = engine.prior.build()
        self._seen = _survey(self.config, sets, self._choice.least_labels, task.rows if task else None)
        verbalizer: Verbalizer = engine.verbalizer.build(self._models)
        find_words(dataclasses.replace(self.config, words_file=None), verbalizer, sets, self._seen.drawn)
        self._labels = sets.of(sets.common)
        self._method: Method = engine.method.build(self._models)
        self._encoder = ""
        self._left_out: list[str] = []

    def diagnosis(self) -> Diagnosis:
        """Everything that was found."""
        config, labels = self.config, self._labels
        encode, scored = self._encode(), self._scored(labels)
        means = self._meanings(encode)
        evidence = Evidence(
            self._spoken(), _limits(config), self._method.sums_tokens, tuple(config.templates),
            None if encode is None else self._vectors(encode), scored, means,
        )  # fmt: skip
        given = config.labels if isinstance(config.labels, Mapping) else {}
        suggested = suggestions(labels, given, means)
        changed = any(dict(one.entry) != _entry(given.get(one.name)) for one in suggested)
        return Diagnosis(
            f"{config.method.name}, {self._method.identity}", len(labels), 0 if scored is None else len(scored.weights_S),
            tuple(examined(evidence)), tuple(self._left_out), as_yaml(suggested), changed,
            self._shares(scored, suggested) if scored is not None and changed else (),
        )  # fmt: skip

    def _spoken(self) -> tuple[Spoken, ...]:
        """Labels with their phrases and tokens."""
        phrases_L = [self._method.phrases_of(label) for label in self._labels]
        cut = self._method.pieces([phrase.words for phrases in phrases_L for phrase in phrases])
        if cut is None:
            self._left_out.append("tokens: the engine's tokenizer is not at hand")
            return tuple(Spoken(label, phrases, None) for label, phrases in zip(self._labels, phrases_L, strict=True))
        rest = iter(cut)
        pieces_L = [tuple(next(rest) for _ in phrases) for phrases in phrases_L]
        return tuple(Spoken(*one) for one in zip(self._labels, phrases_L, pieces_L, strict=True))

    def _encode(self) -> Encode | None:
        """The encoder of the question, beside whatever its engine is."""
        try:
            encoder = self._models.encoder()
        except ConfigError as error:
            self._left_out.append(f"near duplicates by meaning: there is no encoder ({error})")
            return None
        self._encoder = encoder.identity.partition(" (")[0]
        return lambda texts: np.concatenate([encoder(block) for block in in_blocks(texts)])

    def _vectors(self, encode: Encode) -> Vectors:
        phrases_L = [self._method.phrases_of(label) for label in self._labels]
        vectors_PD = encode([phrase.text for phrases in phrases_L for phrase in phrases])
        means_LD = mean_vectors(vectors_PD, [[phrase.weight for phrase in phrases] for phrases in phrases_L])
        apart = encode(_UNRELATED)
        cosines = (apart @ apart.T)[np.triu_indices(len(_UNRELATED), 1)]
        return Vectors(means_LD, float(cosines.mean()), self._encoder)

    def _meanings(self, encode: Encode | None) -> tuple[Meanings, ...] | None:
        places = [self._models.offline / "wordnet", DEBIAN]
        there = [place for place in places if (place / "data.noun").is_file()]
        if not there:
            self._left_out.append("meanings of words: WordNet is not here; get it with `mtl offline add wordnet`")
            return None
        return meanings(self._labels, WordNet(there[0]).senses, encode, self._seen.drawn.texts)

    def _scored(self, labels: Sequence[Label]) -> Scored | None:
        """What the engine says of the sampled texts, after the prior; None, with the reason noted, if it is not asked."""
        drawn = self._seen.drawn
        if not drawn.texts:
            self._left_out.append(
                "what the engine makes of texts: give some with --file or --text, labels are not needed"
            )
            return None
        if self._method.remote:
            self._left_out.append("what the engine makes of texts: they would be sent to its endpoint")
            return None
        try:
            if self._method.needs_sample:
                self._method.fit(drawn, labels)
            logits_SL = self._method.score(drawn.texts, labels).logits_NL
        except ConfigError as error:
            self._left_out.append(f"what the engine makes of texts: it refuses the labels ({error})")
            return None
        logits_SL = logits_SL / self.config.calibrate.temperature
        if self._prior.needs_sample:
            names = tuple(label.name for label in labels)
            logits_SL = logits_SL + self._prior.shift(Sampled(logits_SL, drawn.weights_S, names), self._choice)
        return Scored(logits_SL, self._choice.probabilities(logits_SL), drawn.weights_S)

    def _shares(self, now: Scored, suggested: Sequence[Suggestion]) -> tuple[Share, ...]:
        labels, _ = make_labels(
            {one.name: dict(one.entry) for one in suggested}, self.config.templates, self._choice.least_labels
        )
        then = self._scored(labels)
        if then is None:
            return ()
        names = [label.name for label in labels]
        return tuple(map(Share, names, first_shares(now).tolist(), first_shares(then).tolist()))


def _survey(config: DoctorConfig, labels: LabelSets, least: int, rows: Callable[[], Iterator[Row]] | None) -> Survey:
    """Texts are welcome and not needed: standard input is read only if it is named."""
    if not config.input.texts and config.input.file is None and rows is None:
        return Survey([], [], "")
    return Texts(config, labels, least, rows).survey(config.doctor.sample, 0, config.seed)


def _limits(config: DoctorConfig) -> Limits:
    section = config.doctor
    return Limits(
        similar=section.similar, margin=section.margin, share=section.share, tokens=section.tokens, sense=section.sense,
        shown=section.shown,
    )  # fmt: skip


def _entry(given: Any) -> dict[str, Any]:
    """What the user said of a label, as a file of labels holds it."""
    if isinstance(given, Mapping):
        return {key: value for key, value in given.items() if value is not None}
    return {} if given is None else {"text": str(given)}
