"""A classification data set seen as label matching: does this sentence about a label fit the text?"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from mtl_cli.errors import DataError
from mtl_cli.tasks.files import Row, text_of
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.labels import read_targets

log = logging.getLogger(__name__)

HYPOTHESIS = "hypothesis"
"""The column that is made up."""
CLASSES = ("entailment", "not_entailment")
"""Labels of the rows that are made."""


class Matching:
    """Each labelled row becomes pairs (Yin et al. 2019): with a sentence about its label, and with sentences about others.

    Which others, and which of its phrases and templates a label is put into, follows from a hash of the row: a row gives the
    same pairs in any order of the rows, in any split and in any process, and over the rows all phrases take their turn.

    Args:
        labels: raw label -> its phrases, in the order of the labels' ids. Rows of a label without phrases, such as "none of
            these", fit no sentence and give pairs that do not match alone.
        templates: sentences with `{}` for the phrase.
        negatives: pairs that do not match, for each row.
        seed: of the hash.

    Raises:
        ValueError: fewer than two labels with phrases, a template without `{}`, an empty phrase, no negatives, or more than there
            are other labels.
    """

    def __init__(
        self, labels: Mapping[str, Sequence[str]], templates: Sequence[str], negatives: int = 1, seed: int = 0
    ) -> None:
        for template in templates:
            if template.count("{}") != 1:
                raise ValueError(f"a template has {{}} once, for the label; found '{template}'")
        empty = [name for name, phrases in labels.items() if not all(phrase.strip() for phrase in phrases)]
        if empty:
            raise ValueError(f"label '{empty[0]}' has an empty phrase")
        self.kind = Classification(labels=list(labels))
        """Of the raw labels."""
        self._sentences = [[t.replace("{}", phrase) for phrase in phrases for t in templates] for phrases in labels.values()]  # fmt: skip
        self._described = [i for i, sentences in enumerate(self._sentences) if sentences]
        if len(self._described) < 2:
            raise ValueError(
                "at least two labels need phrases, and there must be a template: else there is nothing to tell apart"
            )
        others = len(self._described) - 1
        if not 1 <= negatives <= others:
            raise ValueError(
                f"negatives must lie between 1 and {others}, the number of other labels; found {negatives}"
            )
        self._negatives, self._seed = negatives, seed

    def digest(self, content: str) -> str:
        """Digest of the pairs that are made of rows with a digest."""
        what = ["matching", 1, content, self.kind.classes, self._sentences, self._negatives, self._seed]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    def rows(self, rows: Callable[[], Iterator[Row]], *, text: str, label: str, task: str) -> Iterator[Row]:
        """The pairs, one after the other.

        Args:
            rows: of the data set, from the first on: they are read once for their labels, once for all; those without a label are
                left out.
            text: column of the text.
            label: column of the label, which then holds one of `CLASSES`.
            task: whose rows they are.

        Raises:
            DataError: a row lacks a column, or its label is unknown; or no row has a label.
        """
        labels = read_targets(self.kind, rows(), label, task, None)
        golds_N = self.kind.gold(labels.columns)
        if labels.reading.meaning or labels.reading.no_label:
            log.info("labels   task '%s': column '%s' is read as %s", task, label, labels.reading.line)
        for row, gold in zip(rows(), golds_N.tolist(), strict=True):
            if math.isnan(gold):
                continue
            for sentence, name in self._pairs(int(gold), text_of(row, text, f"task '{task}'")):
                yield Row(row.where, {**row.values, HYPOTHESIS: sentence, label: name})
        if np.isnan(golds_N).all():
            raise DataError(f"no row has a label in column '{label}', so there is nothing to match", task)

    def _pairs(self, gold: int, text: str) -> Iterator[tuple[str, str]]:
        draw = _draws(f"{self._seed}\0{gold}\0{text}")
        if self._sentences[gold]:
            yield self._sentence(gold, draw), CLASSES[0]
        others = [label for label in self._described if label != gold]
        for _ in range(self._negatives):
            yield self._sentence(others.pop(draw(len(others))), draw), CLASSES[1]

    def _sentence(self, label: int, draw: Callable[[int], int]) -> str:
        sentences = self._sentences[label]
        return sentences[draw(len(sentences))]


def _draws(key: str) -> Callable[[int], int]:
    """n -> a number below n; each call gives the next one that follows from the key."""
    calls = iter(range(1 << 32))

    def draw(below: int) -> int:
        digest = hashlib.blake2b(f"{next(calls)}\0{key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % below

    return draw
