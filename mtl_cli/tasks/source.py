"""Which place a task's rows come from: the user's files, `data.root`, the hub (its cache first), the bundled sample."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mtl_cli import hub
from mtl_cli.digest import content_digest
from mtl_cli.errors import ConfigError, DataError
from mtl_cli.tasks.class_names import rows_by_name
from mtl_cli.tasks.features import class_names_of, names_at
from mtl_cli.tasks.files import SUFFIXES, Row, check_file, class_names, expanded, read_as, read_file
from mtl_cli.tasks.task import Task

BUNDLED_NOTE = "bundled sample, not GLUE"
Place = Literal["file", "local", "hub", "bundled"]


@dataclass(frozen=True)
class Origin:
    """One set of rows that can be opened."""

    place: Place
    set_name: str
    """The source's name of the set, such as `validation_matched`."""
    path: str
    """File, or hub id with subset."""
    fingerprint: Callable[[], str]
    """Digest of the content, made without reading rows where that can be."""
    rows: Callable[[], Iterator[Row]]
    class_names: Callable[[], Sequence[str]] = tuple
    """Names of the classes by id, where the data set itself names them."""

    @property
    def note(self) -> str:
        """What a reader of a score must know about the data; empty for the real thing."""
        return BUNDLED_NOTE if self.place == "bundled" else ""


@dataclass(frozen=True)
class Places:
    """Where to look."""

    source: Literal["auto", "hub", "local", "bundled"]
    root: Path | None
    hub_timeout: float
    """Seconds to wait for the hub in `auto`."""


def origins(task: Task, split: str, places: Places, only: Place | None = None) -> list[Origin]:
    """The sets of one split of a task, from the first place that has it.

    Args:
        task: whose rows.
        split: train, validation or test.
        places: where to look.
        only: the place that the task's other splits came from: one task does not mix places.

    Raises:
        DataError: no place has it; says where was looked.
        ConfigError: `data.source=local` without `data.root`.
    """
    return [_matched(task, _named(task, origin)) for origin in _found(task, split, places, only)]


def _found(task: Task, split: str, places: Places, only: Place | None) -> list[Origin]:
    if task.source.files:
        return _from_files(task, split)
    tried: list[str] = []
    for place in (only,) if only else _ORDER[places.source]:
        found = _FINDERS[place](task, split, places, tried)
        if found:
            return found
    beside = f" where its other rows are ({only})" if only else ""
    keys = "data.root=DIR" if places.source in ("auto", "local") else "data.source=local data.root=DIR"
    name = task.source.sets[split][0]
    remedy = f"If you have these rows: {keys}, where DIR holds {task.source.folder}/{name}.jsonl"
    raise DataError("\n  ".join([f"no {split} rows found{beside}.", *tried, remedy]), task.name)


def _named(task: Task, origin: Origin) -> Origin:
    """The set with labels by name where the data set names its classes."""
    rows, names = origin.rows, origin.class_names
    of, keys = f"task '{task.name}'", f"+tasks.{task.name}.kind."
    return dataclasses.replace(origin, rows=lambda: rows_by_name(rows(), names(), task.label, task.raw_kind, of, keys))


def _matched(task: Task, origin: Origin) -> Origin:
    """The set as the task reads it: with `matching`, the pairs that are made of its rows."""
    matching = task.matching
    if matching is None:
        return origin
    text, label = task.text[0], task.label
    return dataclasses.replace(
        origin,
        fingerprint=lambda: matching.digest(origin.fingerprint()),
        rows=lambda: matching.rows(origin.rows, text=text, label=label, task=task.name),
        class_names=tuple,
    )


def _from_files(task: Task, split: str) -> list[Origin]:
    if split not in task.source.files:
        given = ", ".join(task.source.files)
        remedy = f"Set tasks.{task.name}.source.files.{split}=PATH"
        raise DataError(f"no {split} file is given (available: {given}). {remedy}", task.name)
    path = expanded(task.source.files[split])
    try:
        check_file(path)
    except DataError as error:
        raise error.of_task(task.name) from error
    return [_file_origin(task, "file", split, path)]


def _file_origin(task: Task, place: Place, set_name: str, path: Path) -> Origin:
    options = task.source.options
    return Origin(
        place,
        set_name,
        str(path),
        lambda: file_digest(path, read_as(path, options)),
        lambda: read_file(path, options),
        lambda: names_at(class_names(path), task.label),
    )


def file_digest(path: Path, way: str = "") -> str:
    """SHA-256 of a file and of the way in which it is read, if that is not the usual one.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        content = content_digest(path)
    except OSError as error:
        raise DataError(f"cannot open {path}: {error.strerror}") from error
    return hashlib.sha256(f"{content}\0{way}".encode()).hexdigest() if way else content


def _folder_sets(task: Task, place: Place, folder: Path, split: str) -> list[Origin]:
    found = []
    for name in task.source.sets[split]:
        path = next((folder / f"{name}{s}" for s in SUFFIXES if (folder / f"{name}{s}").is_file()), None)
        if path is None:
            return []
        found.append(_file_origin(task, place, name, path))
    return found


def _local(task: Task, split: str, places: Places, tried: list[str]) -> list[Origin]:
    if places.root is None:
        if places.source == "local":
            raise ConfigError("data.source=local needs data.root=DIR, a folder that holds <task>/<split>.jsonl")
        return []
    if not places.root.is_dir():
        raise ConfigError(
            f"data.root: there is no folder {places.root}. Give the folder that holds <task>/<split>.jsonl"
        )
    folder = places.root / task.source.folder
    found = _folder_sets(task, "local", folder, split)
    if not found:
        names = " and ".join(f"{name}.jsonl" for name in task.source.sets[split])
        tried.append(f"local: {folder} has no {names} (nor .csv, .tsv, .parquet)")
    return found


def _bundled(task: Task, split: str, places: Places, tried: list[str]) -> list[Origin]:  # noqa: ARG001
    if task.source.bundled is None:
        tried.append("bundled: there is no sample of this task (available: cola, sst2, mrpc, stsb, qnli, rte)")
        return []
    folder = Path(__file__).parent / "bundled" / task.source.bundled
    found = _folder_sets(task, "bundled", folder, split)
    if not found:
        tried.append(f"bundled: the sample has no {split} split")
    return found


def _hub(task: Task, split: str, places: Places, tried: list[str]) -> list[Origin]:
    if task.source.hub is None:
        tried.append("hub: the task names no hub id")
        return []
    cached = hub.data_cached(task.source.hub, task.source.subset)
    if not cached and places.source == "auto" and not hub.answers(places.hub_timeout):
        tried.append(
            f"hub: {hub.endpoint()} did not answer within {places.hub_timeout:g} s, and {task.source.hub} is not in its cache"
        )
        return []
    names = task.source.hub_sets.get(split, task.source.sets[split])
    return [_hub_origin(task, name, places.hub_timeout) for name in names]


def _hub_origin(task: Task, set_name: str, timeout: float) -> Origin:
    hub_id, subset = task.source.hub or "", task.source.subset
    load = functools.partial(load_hub_split, hub_id, subset, set_name, timeout)
    path = f"{hub_id}/{subset}" if subset else hub_id
    return Origin(
        "hub", set_name, path, lambda: str(load()._fingerprint), lambda: _hub_rows(load(), path, set_name),
        lambda: _hub_class_names(load(), task.label),
    )  # fmt: skip


@functools.lru_cache(maxsize=8)
def load_hub_split(hub_id: str, subset: str | None, set_name: str, timeout: float) -> Any:
    """One split of a hub data set, memory-mapped by `datasets`.

    Raises:
        DataError: the hub has no such data set, subset or split, or cannot be reached.
    """
    import datasets

    # Without this the client asks the dead network again and again before it looks into its own cache.
    datasets.config.HF_HUB_OFFLINE = not hub.answers(timeout)
    asked = f"{hub_id}{'/' + subset if subset else ''}, split {set_name}"
    try:
        return datasets.load_dataset(hub_id, subset, split=set_name, trust_remote_code=False)
    except (OSError, ValueError, RuntimeError, ConnectionError) as error:
        first = str(error).strip().split("\n")[0]
        raise DataError(
            f"hub: cannot load {asked} from {hub.endpoint()}: {first}\n"
            "  Check the id and the network, or give data.root=DIR or data.source=bundled."
        ) from error


def _hub_rows(dataset: Any, path: str, set_name: str) -> Iterator[Row]:
    return (Row(f"{path}[{set_name}]:{number}", values) for number, values in enumerate(dataset, start=1))


def _hub_class_names(dataset: Any, label: str) -> Sequence[str]:
    return names_at(class_names_of(dataset.features.to_dict()), label)


_Finder = Callable[[Task, str, Places, list[str]], list[Origin]]
_FINDERS: dict[str, _Finder] = {"local": _local, "hub": _hub, "bundled": _bundled}
_ORDER = {"auto": ("local", "hub", "bundled"), "local": ("local",), "hub": ("hub",), "bundled": ("bundled",)}
