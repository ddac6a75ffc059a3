"""`mtl zeroshot --estimate`: what each of several questions would take, before it is asked."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence

import torch

from mtl_cli.config.question import Point
from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.errors import ConfigError, DataError, Fault
from mtl_cli.recipes.blocks import BLOCK, in_blocks
from mtl_cli.recipes.zeroshot.fit import make_choice, survey
from mtl_cli.recipes.zeroshot.models import AskedModels, bound_engine, settled
from mtl_cli.recipes.zeroshot.task import of_task
from mtl_cli.recipes.zeroshot.texts import LabelSets, Survey, Text, Texts
from mtl_cli.recipes.zeroshot.words import find_words
from mtl_cli.report.estimate import Cost
from mtl_cli.zeroshot.decide.priors.base import Prior
from mtl_cli.zeroshot.scoring.method import Drawn, Method
from mtl_cli.zeroshot.scoring.plan import Plan
from mtl_cli.zeroshot.scoring.sketch import Sketch
from mtl_cli.zeroshot.verbalizers.base import Verbalizer

_WHOLE, _EVERY = 64, 16
"""Blocks that are planned one and all; behind them one of so many, spread over the file."""
_TRIED = 512
"""Texts that are drawn for the trial."""
_FIRST = 8
"""Texts of its first step; each step has twice as many as the one before."""
_SECONDS = 2.0
"""Of a trial, about."""


def estimate(points: Sequence[Point]) -> list[Cost]:
    """Plan each question on all of its texts and time its engine on a few; no answer is given.

    Raises:
        ConfigError: a question cannot be asked; several of them about standard input, which can be read once.
        DataError: the input is missing or broken.
    """
    if len(points) > 1 and any(_streamed(point.question.config()) for point in points):
        raise ConfigError([Fault("input.file", "standard input can be read once only: give --file to compare engines")])
    return [_Estimate(point).cost() for point in points]


def _streamed(config: ZeroshotConfig) -> bool:
    return config.input.file in (None, "-") and not config.input.texts and not config.tasks


class _Estimate:
    """One question."""

    def __init__(self, point: Point) -> None:
        question = settled(point.question)
        config = question.config()
        task = of_task(config)
        self._config = config = task.config if task else config
        self._shown = point.shown or config.method.name
        choice = make_choice(config)
        self._labels = LabelSets(config, choice.least_labels)
        models, engine = AskedModels(question, config), bound_engine(config)
        models.cache = None  # what is remembered takes no time
        self._prior: Prior = engine.prior.build()
        verbalizer: Verbalizer = engine.verbalizer.build(models)
        self._texts = Texts(config, self._labels, choice.least_labels, task.rows if task else None)
        self._method: Method = engine.method.build(models)
        needs = self._prior.needs_sample or self._method.needs_sample or verbalizer.needs_sample
        self._seen: Survey = survey(config, needs, self._texts)
        if self._labels.common and not config.input.labels_column:
            find_words(dataclasses.replace(config, words_file=None), verbalizer, self._labels, self._seen.drawn)
        self._device = models.fabric.device
        sampled = self._seen.sample if self._prior.needs_sample else []
        self._sample = list(dict.fromkeys(kept.text for kept in (*sampled, *self._seen.gold)))
        """Texts that something is found on: scored once before the first answer, and looked up for theirs."""

    def cost(self) -> Cost:
        """Everything that the question takes."""
        trial, counted, rows, most = _Trial(self._config.seed), _Counted(Plan(0, 0), Plan(0, 0)), 0, 0
        for place, block in enumerate(_blocks(self._texts)):
            rows += len(block)
            trial.add(block)
            most = max(most, *(len(text.labels) for text in block))
            if place < _WHOLE or (place - _WHOLE) % _EVERY == 0:
                counted.add(self._planned(block), len(block), spread=place >= _WHOLE)
        if not rows:
            raise DataError("there are no texts: give --text, --file, or lines on standard input")
        total = counted.of(rows) + self._before(trial.labels)
        minutes, measured = self._minutes(total, trial)
        return Cost(self._shown, rows, most, total.tokens, total.passes, counted.rows, minutes, measured)

    def _planned(self, block: Sequence[Text]) -> Plan:
        by_set: dict[tuple[str, ...], list[str]] = {}
        sample = set(self._sample)
        for text in block:
            if text.text not in sample:
                by_set.setdefault(text.labels, []).append(text.text)
        plans = (self._method.plan(texts, self._labels.of(names)) for names, texts in by_set.items())
        return sum(plans, Plan(0, 0))

    def _before(self, names: tuple[str, ...]) -> Plan:
        """What is scored once before the first answer: labels, and texts that something is found on."""
        labels = self._labels.of(names)
        fitted = [kept.text for kept in self._seen.sample] if self._method.needs_sample else []
        plans = [self._method.plan(texts, labels) for texts in (fitted, *in_blocks(self._sample)) if texts]
        return sum(plans, self._method.plan_labels(labels))

    def _minutes(self, total: Plan, trial: _Trial) -> tuple[float | None, str]:
        if self._method.remote:
            return None, "not tried: texts would be sent"
        labels = self._labels.of(trial.labels)
        texts = trial.texts()
        if self._method.needs_sample:
            self._method.fit(
                Drawn(texts, torch.full((len(texts),), 1 / len(texts), dtype=torch.float64).numpy()), labels
            )
        self._method.score(texts[:1], labels)  # the labels, and what is made at the first pass
        size = _FIRST
        while True:
            tried = texts[:size]
            begin = time.perf_counter()
            self._method.score(tried, labels)
            seconds = time.perf_counter() - begin
            if seconds >= _SECONDS / 2 or size >= len(texts):
                break
            size *= 2
        rate = seconds / max(1, self._method.plan(tried, labels).tokens)
        on = _where(self._device)
        return total.tokens * rate / 60, f"{on}, {len(tried):,} texts"


def _where(device: torch.device) -> str:
    threads = torch.get_num_threads()
    return f"cpu, {threads} thread{'s' if threads > 1 else ''}" if device.type == "cpu" else str(device)


@dataclasses.dataclass
class _Counted:
    """Plans of the first blocks, and of some that stand for the others."""

    first: Plan
    others: Plan
    first_rows: int = 0
    other_rows: int = 0

    @property
    def rows(self) -> int:
        """Rows that were planned."""
        return self.first_rows + self.other_rows

    def add(self, plan: Plan, rows: int, *, spread: bool) -> None:
        """Count a block."""
        if spread:
            self.others, self.other_rows = self.others + plan, self.other_rows + rows
        else:
            self.first, self.first_rows = self.first + plan, self.first_rows + rows

    def of(self, rows: int) -> Plan:
        """The plan of so many rows in all."""
        times = (rows - self.first_rows) / max(1, self.other_rows)
        return self.first + Plan(round(times * self.others.tokens), round(times * self.others.passes))


class _Trial:
    """Texts of the first label set, drawn from all rows."""

    def __init__(self, seed: int) -> None:
        self._sketch = Sketch(_TRIED, seed)
        self.labels: tuple[str, ...] = ()
        """The label set."""

    def add(self, block: Sequence[Text]) -> None:
        """See some rows."""
        self.labels = self.labels or block[0].labels
        for text in block:
            if text.labels == self.labels:
                self._sketch.add(text.text)

    def texts(self) -> list[str]:
        """In no order that has to do with that of the rows."""
        return [kept.text for kept in self._sketch.kept()]


def _blocks(texts: Texts) -> Iterator[list[Text]]:
    stream = iter(texts)
    while block := list(itertools.islice(stream, BLOCK)):
        yield block
