"""The texts of `mtl zeroshot`, with their gold labels and their own label sets."""

from __future__ import annotations

import functools
import itertools
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.errors import ConfigError, DataError
from mtl_cli.recipes.blocks import BLOCK
from mtl_cli.recipes.zeroshot.gold import KEYS, GoldLabels
from mtl_cli.recipes.zeroshot.task import limited_rows
from mtl_cli.tasks.class_names import rows_by_name
from mtl_cli.tasks.features import names_at
from mtl_cli.tasks.files import Options, Row, class_names, expanded, read_file, read_stream, text_of, text_stream
from mtl_cli.zeroshot.labels.label_set import Label, cell_labels, make_labels
from mtl_cli.zeroshot.scoring.method import Drawn
from mtl_cli.zeroshot.scoring.sketch import Kept, Sketch

log = logging.getLogger(__name__)
T = TypeVar("T")

_SETS = 1024
"""Label sets of rows that are kept at hand."""


@dataclass(frozen=True)
class Text:
    """One text to answer."""

    text: str
    gold: tuple[str, ...] | None
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """What was seen of the texts before the first is answered."""

    sample: list[Kept]
    """Texts that stand for all."""
    gold: list[Kept]
    """Texts with gold labels, as many as were asked for."""
    of: str
    """What they were drawn from, for messages."""

    @property
    def drawn(self) -> Drawn:
        """The sample with the share of each text."""
        rows_S = np.array([kept.rows for kept in self.sample], np.float64)
        return Drawn([kept.text for kept in self.sample], rows_S / max(rows_S.sum(), 1))


class LabelSets:
    """The labels that were asked for, and those of rows with sets of their own.

    Raises:
        ConfigError: the labels are not as they must be.
    """

    def __init__(self, config: ZeroshotConfig, least: int) -> None:
        given, templates = config.labels, config.templates
        self._own = bool(config.input.labels_column)
        self._given = dict(given) if isinstance(given, dict) else dict.fromkeys(given or [])
        self._templates, self._least = templates, least
        self._told: set[str] = set()
        if self._own and not given:
            self.common: tuple[str, ...] = ()
        else:
            labels, self._said = make_labels(given, templates, 1 if self._own else least)
            self.common = tuple(label.name for label in labels)
        self._make = functools.lru_cache(_SETS)(self._made)

    def of(self, names: tuple[str, ...]) -> list[Label]:
        """The labels of these names, each with what was said of it; short ones are told once."""
        return self._make(names)

    def become(self, given: Mapping[str, Any]) -> None:
        """Take other entries for the common labels."""
        self._given = dict(given)
        self._make.cache_clear()

    def _made(self, names: tuple[str, ...]) -> list[Label]:
        labels, said = make_labels({name: self._given.get(name) for name in names}, self._templates, self._least)
        for sentence in said:
            if sentence not in self._told:
                self._told.add(sentence)
                log.info("labels   %s", sentence)
        return labels


class Texts:
    """The texts of all inputs in order.

    A file can be read as often as one likes. Of a stream, what `survey` has looked at is kept until it is answered.

    Args:
        config: of the question.
        labels: that it names.
        least: labels that a text must have to choose from.
        rows: of the question's task; None: file or standard input are read.
    """

    def __init__(
        self, config: ZeroshotConfig, labels: LabelSets, least: int, rows: Callable[[], Iterator[Row]] | None = None
    ) -> None:
        self._given = rows
        self._section, self._labels, self._least = config.input, labels, least
        self._limit = config.limit
        self._limited: Callable[[], Iterator[Row]] | None = None
        self._several = config.decide.multi_label
        self._gold: GoldLabels | None = None
        self._fault_of_rows: DataError | None = None
        """What was wrong with a row, or the file, rather than with a gold label."""
        file = self._section.file
        waiting = sys.stdin is not None and not sys.stdin.isatty()
        self._streamed = file == "-" or (file is None and not self._section.texts and rows is None and waiting)
        self._stream: Iterator[Text] | None = None

    def __iter__(self) -> Iterator[Text]:
        """All texts from the first on."""
        if self._stream is not None:
            return self._stream
        if self._streamed:
            self._stream = self._read()
            return self._stream
        return self._read()

    def survey(self, sample: int, gold: int, seed: int) -> Survey:
        """Look at the texts before they are answered: all of a file, the first `sample` of a stream.

        Args:
            sample: distinct texts to draw.
            gold: distinct texts with gold labels to draw.
            seed: of both draws.
        """
        seen: Iterator[Text] | list[Text]
        if self._streamed:
            rest = iter(self)
            seen = list(itertools.islice(rest, sample))
            self._stream = itertools.chain(seen, rest)
            of = f"the first {len(seen):,} texts of the stream"
        else:
            seen, of = iter(self), "the input"
        all_texts, with_gold = Sketch(sample, seed), Sketch(gold, seed)
        for text in seen:
            all_texts.add(text.text)
            if text.gold is not None:
                with_gold.add(text.text, text.gold)
        return Survey(all_texts.kept(), with_gold.kept(), of)

    def _read(self) -> Iterator[Text]:
        section = self._section
        yield from (Text(text, None, self._set(None)) for text in section.texts)
        column = "label" if section.label_column is None else section.label_column
        rows = self._rows()
        if column and not (self._gold and self._gold.is_decided):
            rows = self._decide(column, rows)
        for row in rows:
            text = text_of(row, section.text_column, "input.text_column")
            names = self._set(row if section.labels_column else None)
            yield Text(text, self._gold_of(row, column, names) if self._has_gold(row, column) else None, names)

    def _has_gold(self, row: Row, column: str) -> bool:
        """Whether a row must have gold labels, or has them in a column of that name."""
        return bool(column) and (self._section.label_column is not None or row.has(column))

    def _decide(self, column: str, rows: Iterator[Row]) -> Iterator[Row]:
        """Find how the gold labels are read: of a file all of them, of a stream those of its first rows. Returns all rows."""
        self._gold = GoldLabels(self._section, column, several=self._several)
        block = list(itertools.islice(rows, BLOCK)) if self._streamed else []
        cells = self._cells(column, block if self._streamed else self._all_rows())
        self._for_gold(lambda gold: gold.decide(cells))
        return itertools.chain(block, rows)

    def _cells(self, column: str, rows: Iterable[Row]) -> Iterator[tuple[Row, Any, tuple[str, ...]]]:
        """Each row that has a gold label, with it and the labels that the row may get."""
        try:
            for row in rows:
                if self._has_gold(row, column):
                    names = self._set(row if self._section.labels_column else None)
                    yield row, row.column(column, "input.label_column"), names
        except DataError as error:
            self._fault_of_rows = error
            raise

    def _gold_of(self, row: Row, column: str, names: tuple[str, ...]) -> tuple[str, ...] | None:
        return self._for_gold(lambda gold: gold.of(row, row.column(column, "input.label_column"), names))

    def _for_gold(self, do: Callable[[GoldLabels], T]) -> T:
        """Read gold labels; where their column was not named, an error says how to do without."""
        assert self._gold is not None
        try:
            return do(self._gold)
        except DataError as error:
            if self._section.label_column is not None or error is self._fault_of_rows:
                raise
            raise DataError(
                f"{str(error).rstrip('.')}. The column was taken for its name; to read no gold labels: 'input.label_column=\"\"'"
            ) from error

    def _set(self, row: Row | None) -> tuple[str, ...]:
        """The labels that a text may get."""
        column = self._section.labels_column
        if row is None or not column:
            if not self._labels.common:
                raise ConfigError("--text has no columns: give its labels with --labels")
            return self._labels.common
        names = _checked(row, column, "input.labels_column", cell_labels) or ()
        if len(names) < self._least:
            least = "one label" if self._least == 1 else "two labels (or ask with decide.multi_label=true)"
            raise DataError(
                f"{row.where}: column '{column}' must hold at least {least}, a list or a|b; found {len(names)}"
            )
        return names

    def _rows(self) -> Iterator[Row]:
        """The rows that are answered: of a file as many as `limit` says, of a stream the first ones."""
        if self._limit is None or self._given is not None:
            return self._all_rows()
        if self._streamed:
            return itertools.islice(self._all_rows(), self._limit)
        if self._limited is None:
            self._limited = limited_rows(self._all_rows, self._limit)
        return self._limited()

    def _all_rows(self) -> Iterator[Row]:
        if self._given is not None:
            yield from self._given()
        elif self._streamed:
            if sys.stdin is None:
                raise DataError("standard input is closed: give the texts with --text or --file")
            # JSON if it begins as JSON does, else one text per line.
            yield from read_stream(text_stream(sys.stdin.buffer, "standard input"), None)
        elif self._section.file is not None:
            yield from self._file_rows(expanded(self._section.file))

    def _file_rows(self, path: Path) -> Iterator[Row]:
        """Rows of the file; ids of gold labels by name, where it names its classes."""
        column = "label" if self._section.label_column is None else self._section.label_column
        options = Options(self._section.delimiter, self._section.quoting, "input")
        rows, found = read_file(path, options), class_names(path)
        names = names_at(found, column) or names_at(found, f"{column}.0")
        if not names or self._section.label_values == "ids" or self._section.label_ids is not None:
            return rows
        # Where each text has labels of its own, a name is looked for in these later.
        kind = GoldLabels(self._section, column, several=self._several).kind(self._labels.common or names)
        return rows_by_name(rows, names, column, kind, "input.label_column", KEYS)


def _checked(row: Row, column: str, of: str, parsed: Callable[[Any], tuple[str, ...] | None]) -> tuple[str, ...] | None:
    value = row.column(column, of)
    try:
        return parsed(value)
    except ValueError as error:
        raise DataError(f"{row.where}: column '{column}', {error}") from error
