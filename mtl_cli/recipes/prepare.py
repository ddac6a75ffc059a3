"""Config -> tasks, their rows and metrics: what training, checking and evaluation begin with."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_cli.config.convert import Node, bind
from mtl_cli.config.paths import cache_dir
from mtl_cli.config.schema import DataSection, TaskConfig
from mtl_cli.data.encoded import EncodedSet, encode, tokenizer_fingerprint
from mtl_cli.errors import ConfigError, DataError, Fault
from mtl_cli.metrics.base import Metric
from mtl_cli.tasks.source import Place, Places, origins
from mtl_cli.tasks.task import Source, Task

if TYPE_CHECKING:
    from mtl_cli.model.backbone.base import Backbone

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BoundTask:
    """A task and its metrics."""

    task: Task
    metrics: Mapping[str, Metric]


def bind_tasks(configs: Mapping[str, TaskConfig], max_length: int, faults: list[Fault]) -> dict[str, BoundTask]:
    """Build kinds and metrics of all tasks; what is wrong goes to `faults`."""
    bound = {}
    for name, config in configs.items():
        built = _bind_task(name, config, max_length, faults)
        if built is not None:
            bound[name] = built
    return bound


def _bind_task(name: str, config: TaskConfig, max_length: int, faults: list[Fault]) -> BoundTask | None:
    key = f"tasks.{name}"
    kind_builder = bind("kind", config.kind, faults, f"{key}.kind")
    metrics = {m: bind("metric", Node(m, {}), faults, f"{key}.metrics") for m in config.metrics}
    if kind_builder is None:
        return None
    try:
        kind = kind_builder.build()
    except ConfigError as error:
        faults.extend(error.faults)
        return None
    built: dict[str, Metric] = {m: b.build() for m, b in metrics.items() if b is not None}
    if len({metric.higher_is_better for metric in built.values()}) > 1:
        mixed = "some are better when higher, some when lower: their mean, the task's score, would mean nothing"
        faults.append(Fault(f"{key}.metrics", mixed))
    for metric_name, metric in built.items():
        try:
            metric.check(len(kind.classes))
        except ValueError as error:
            faults.append(Fault(f"{key}.metrics", f"'{metric_name}' {error}"))
    source = config.source
    place = Source(
        hub=source.hub,
        subset=source.subset,
        folder=source.folder or name,
        bundled=source.bundled,
        files=source.files,
        sets={split: tuple(source.sets(split)) for split in ("train", "validation", "test")},
    )
    task = Task(
        name, kind, tuple(config.text), config.label, tuple(config.metrics), place, config.max_length or max_length,
        config.layout,
    )  # fmt: skip
    return BoundTask(task, built)


class Rows:
    """Opens splits of tasks, encoded for one tokenizer.

    Args:
        data: where to look.
        backbone: whose tokenizer and limits apply.
    """

    def __init__(self, data: DataSection, backbone: Backbone) -> None:
        self._places = Places(data.source, Path(data.root).expanduser() if data.root else None, data.hub_timeout)
        self._cache = cache_dir(data.cache)
        self._backbone = backbone
        self._digest = tokenizer_fingerprint(backbone.tokenizer)
        self._place: dict[str, Place] = {}

    def open(self, task: Task, split: str, *, need_labels: bool = True) -> list[EncodedSet]:
        """All sets of a split.

        Args:
            task: whose rows.
            split: train, validation or test.
            need_labels: without, rows may lack the label column.

        Raises:
            DataError: they are not there, or a row is wrong; a token id does not fit the encoder.
            ConfigError: the task's length is beyond the encoder's.
        """
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
        found = [
            encode(task, origin, self._backbone.tokenizer, self._digest, self._cache, need_labels=need_labels)
            for origin in origins(task, split, self._places, self._place.get(task.name))
        ]
        self._place[task.name] = found[0].origin.place
        for encoded in found:
            self._check(task, encoded)
        return found

    def _check(self, task: Task, encoded: EncodedSet) -> None:
        meta, origin = encoded.meta, encoded.origin
        if meta.max_id >= self._backbone.vocabulary:
            raise DataError(
                f"task '{task.name}': the tokenizer gives token id {meta.max_id}, but the backbone's vocabulary ends at "
                f"{self._backbone.vocabulary - 1}. Tokenizer and weights do not belong together; look at backbone.path."
            )
        if meta.truncated:
            log.warning(
                "%s, %s: %s of %s texts were longer than %s tokens and were cut (data.max_length)",
                task.name,
                origin.set_name,
                f"{meta.truncated:,}",
                f"{meta.rows:,}",
                task.max_length,
            )


def describe_data(sets: Mapping[str, Sequence[EncodedSet]]) -> dict[str, Any]:
    """What a run records of its data: place, path, fingerprint and rows of each set."""
    return {
        f"{task}.{one.origin.set_name}": {
            "place": one.origin.place,
            "path": one.origin.path,
            "fingerprint": one.meta.fingerprint,
            "rows": one.meta.rows,
            "tokens": one.meta.tokens,
            "truncated": one.meta.truncated,
            "note": one.origin.note,
        }
        for task, listed in sets.items()
        for one in listed
    }


def data_line(train: Mapping[str, EncodedSet], validation: Mapping[str, Sequence[EncodedSet]]) -> str:
    """One line that says where the rows come from and how many they are."""
    places: dict[str, list[str]] = {}
    for name, encoded in train.items():
        rows = "/".join(f"{len(s):,}" for s in [encoded, *validation.get(name, ())])
        place = encoded.origin.note or f"{encoded.origin.place}"
        places.setdefault(place, []).append(f"{name} {rows}")
    return "; ".join(f"{place}: {', '.join(tasks)}" for place, tasks in places.items()) + " (train/validation rows)"
