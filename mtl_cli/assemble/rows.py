"""Splits of tasks, encoded for one tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_cli.config.paths import cache_dir
from mtl_cli.config.schema import DataSection
from mtl_cli.data.encoded import EncodedSet, encode, tokenizer_fingerprint
from mtl_cli.errors import ConfigError, DataError, Fault
from mtl_cli.tasks.kinds.column import Reading
from mtl_cli.tasks.source import Place, Places, origins
from mtl_cli.tasks.task import Task

if TYPE_CHECKING:
    from mtl_cli.model.backbone.base import Backbone


class Rows:
    """Opens splits of tasks, encoded for one tokenizer.

    Args:
        data: where to look.
        backbone: whose tokenizer and limits apply.
        readings: how the labels of a task's training rows are read, where that is known; training rows that are opened decide anew.
    """

    def __init__(self, data: DataSection, backbone: Backbone, readings: Mapping[str, Reading] | None = None) -> None:
        self._places = Places(data.source, Path(data.root).expanduser() if data.root else None, data.hub_timeout)
        self._cache = cache_dir(data.cache)
        self._backbone = backbone
        self._digest = tokenizer_fingerprint(backbone.tokenizer)
        self._place: dict[str, Place] = {}
        self._readings = dict(readings or {})
        self._packs = False
        """Whether the backbone was seen to take packed pairs."""

    def open(self, task: Task, split: str, *, need_labels: bool = True) -> list[EncodedSet]:
        """All sets of a split.

        Args:
            task: whose rows.
            split: train, validation or test.
            need_labels: without, rows may lack the label column.

        Raises:
            DataError: they are not there, or a row is wrong; a token id does not fit the encoder.
            ConfigError: the task's length is beyond the encoder's, or its pairs are packed and the encoder cannot have that.
        """
        if task.input.packs and not self._packs:
            from mtl_cli.model.backbone.probe import check_packed

            check_packed(self._backbone, f"tasks.{task.name}.input")
            self._packs = True
        limit = self._backbone.max_length
        if limit and task.max_length > limit:
            raise ConfigError(
                [
                    Fault(
                        "data.max_length",
                        f"task '{task.name}' asks for {task.max_length} tokens, but the backbone takes at most {limit}",
                    )
                ]
            )
        train = self._readings.get(task.name) if split != "train" else None
        found = [
            encode(
                task, origin, self._backbone.tokenizer, self._digest, self._cache, need_labels=need_labels, train=train
            )
            for origin in origins(task, split, self._places, self._place.get(task.name))
        ]
        self._place[task.name] = found[0].origin.place
        if split == "train" and found[0].reading is not None:
            self._readings[task.name] = found[0].reading
        for encoded in found:
            self._check(task, encoded)
        return found

    def _check(self, task: Task, encoded: EncodedSet) -> None:
        meta = encoded.meta
        if meta.max_id >= self._backbone.vocabulary:
            raise DataError(
                f"the tokenizer gives token id {meta.max_id}, but the backbone's vocabulary ends at "
                f"{self._backbone.vocabulary - 1}. Tokenizer and weights do not belong together; look at backbone.path.",
                task.name,
            )
