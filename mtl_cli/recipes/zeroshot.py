"""`mtl zeroshot`: texts and labels -> scores, in the order of the texts, in constant memory."""

from __future__ import annotations

import itertools
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mtl_cli.config.convert import bind
from mtl_cli.config.schema import InputSection, ZeroshotConfig
from mtl_cli.errors import ConfigError, DataError, Fault
from mtl_cli.metrics.classification import Accuracy, MacroF1
from mtl_cli.metrics.scorer import TaskScore, score_set
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.recipes.fabric import make_fabric
from mtl_cli.recipes.stored import open_stored
from mtl_cli.report.table import score_table
from mtl_cli.tasks.files import Row, read_file, read_stream, text_of, text_stream
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.zeroshot.encoder import TextEncoder
from mtl_cli.zeroshot.labels import Label, make_labels
from mtl_cli.zeroshot.method import Method, probabilities

log = logging.getLogger(__name__)

_CHUNK = 1024
"""Texts scored at once: sorted by length inside, written in order."""


@dataclass(frozen=True)
class Answer:
    """What is said of one text."""

    text: str
    label: str
    scores: dict[str, float]
    """Probability of each label, in label order; they sum to 1 even if no label is right."""
    gold: str | None
    """The row's own label; None if it has none."""


@dataclass(frozen=True)
class _Text:
    text: str
    gold: str | None


def zeroshot(config: ZeroshotConfig, write: Callable[[Answer], None]) -> None:
    """Score every text and hand on the answers one by one.

    Raises:
        ConfigError: labels, templates, engine or run are not as they must be.
        DataError: the input is missing or broken.
    """
    labels, said = make_labels(config.labels, config.templates)
    texts = _texts(config.input, labels)
    first = next(texts, None)
    if first is None:
        raise DataError("there are no texts: give --text, --file, or lines on standard input")
    for sentence in said:
        log.info("labels   %s", sentence)
    method, encoder = _method(config)
    gold: list[int] = []
    predicted: list[int] = []
    stream = itertools.chain([first], texts)
    while chunk := list(itertools.islice(stream, _CHUNK)):
        for answer, best in _answers(method, chunk, labels):
            write(answer)
            if answer.gold is not None:
                gold.append(_gold_index(answer.gold, labels))
                predicted.append(best)
    if encoder.truncated:
        log.warning("%s texts were longer than the encoder takes and were cut (max_length)", f"{encoder.truncated:,}")
    if gold:
        _report(np.array(gold, np.float64), np.array(predicted, np.float64), labels, config)


def _answers(method: Method, chunk: list[_Text], labels: list[Label]) -> Iterator[tuple[Answer, int]]:
    scores_NL = probabilities(method.score([t.text for t in chunk], labels))
    for text, scores in zip(chunk, scores_NL, strict=True):
        best = int(scores.argmax())
        named = {label.name: float(p) for label, p in zip(labels, scores, strict=True)}
        yield Answer(text.text, labels[best].name, named, text.gold), best


def _method(config: ZeroshotConfig) -> tuple[Method, TextEncoder]:
    faults: list[Fault] = []
    backbone_builder = bind("backbone", config.backbone, faults, "backbone") if config.run is None else None
    method_builder = bind("method", config.method, faults, "method")
    if faults or method_builder is None:
        raise ConfigError(faults)
    torch.manual_seed(config.seed)
    backbone: Backbone = backbone_builder.build() if backbone_builder else _trained(str(config.run), config.checkpoint)
    log.info("encoder  %s", backbone.identity)
    encoder = TextEncoder(
        backbone, make_fabric(config.fabric), max_length=config.max_length, batch_tokens=config.batch_tokens
    )
    return method_builder.build(encoder), encoder


def _trained(path: str, checkpoint: str) -> Backbone:
    run = open_stored(path, checkpoint)
    if len(run.encoder_tasks) < len(run.config.tasks):
        log.info("groups   of the run's encoders, this is the one of its first group: %s", ", ".join(run.encoder_tasks))
    return run.backbone()


def _texts(section: InputSection, labels: list[Label]) -> Iterator[_Text]:
    """The texts of all inputs in order; their gold labels where the rows have them."""
    yield from (_Text(text, None) for text in section.texts)
    kind = Classification(labels=[label.name for label in labels])
    for number, row in enumerate(_rows(section)):
        text = text_of(row, section.text_column, "--text-column")
        column = section.label_column
        if column is None and "label" in row.values:
            column = "label"
            if number == 0:
                log.info("gold     column 'label' is read as the gold label")
        yield _Text(text, _gold(row, column, kind) if column else None)


def _gold(row: Row, column: str, kind: Classification) -> str | None:
    """The name of the row's label, read as training reads labels. Raises `DataError` if it is none of them."""
    value = row.column(column, "--label-column")
    try:
        return kind.shown(kind.encode(value))
    except ValueError as error:
        raise DataError(f"{row.where}: column '{column}', gold {error}") from error


def _gold_index(name: str, labels: list[Label]) -> int:
    return next(i for i, label in enumerate(labels) if label.name == name)


def _rows(section: InputSection) -> Iterator[Row]:
    if section.file is None:
        if not section.texts and sys.stdin is not None and not sys.stdin.isatty():
            yield from _standard_input()
    elif section.file == "-":
        yield from _standard_input()
    else:
        yield from read_file(Path(section.file).expanduser())


def _standard_input() -> Iterator[Row]:
    """Lines: JSON objects if the first one is, else one text a line."""
    yield from read_stream(text_stream(sys.stdin.buffer), None, "standard input")


def _report(gold: np.ndarray, predicted: np.ndarray, labels: list[Label], config: ZeroshotConfig) -> None:
    metrics = {"accuracy": Accuracy(), "macro_f1": MacroF1()}
    scores = score_set(metrics, "input", gold, predicted, len(labels), config.bootstrap, config.seed)
    log.info(
        "%s",
        score_table([TaskScore("zeroshot", tuple(scores), higher_is_better=True, note="")], "against the gold labels"),
    )
