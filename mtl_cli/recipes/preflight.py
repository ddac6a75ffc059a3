"""What can be wrong without a model, looked at before torch is imported: files, formats, columns, packages of extras."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from mtl_cli.assemble.trained import trained_config
from mtl_cli.config.registry import EXTRAS
from mtl_cli.config.schema import EvalConfig, TaskConfig, TrainConfig
from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.errors import ConfigError, DataError, Fault
from mtl_cli.tasks.files import SUFFIXES, check_file, expanded, read_file
from mtl_cli.tasks.formats.base import Options
from mtl_cli.tasks.rows import Row
from mtl_cli.zeroshot.labels.label_set import make_labels

_SPLITS = ("train", "validation")


def preflight(config: TrainConfig, *, sweep: bool = False, goes_on: bool = False) -> None:
    """Look at the first row of each local file, and at the packages that the chosen members need.

    Args:
        config: of the run.
        sweep: whether launcher and search count.
        goes_on: whether the rows of all tasks are looked at anyway, with all that is wrong with them: then nothing is raised of
            some tasks while others are in order.

    Raises:
        ConfigError: with everything that is missing, of all tasks together.
    """
    faults = [*_extra_faults(config, sweep=sweep), *_root_faults(config)]
    of_tasks = [list(_task_faults(name, task, config)) for name, task in config.tasks.items()]
    if faults or not goes_on or all(of_tasks):
        faults += [fault for listed in of_tasks for fault in listed]
    if faults:
        raise ConfigError(faults)


def preflight_eval(config: EvalConfig) -> None:
    """Look at the run folder and the files of `mtl eval`. Raises `ConfigError` or `DataError`."""
    tasks = {**_mapping(trained_config(config.run).get("tasks")), **config.tasks}
    files = config.files or {}
    for name, path in files.items() if files.keys() <= tasks.keys() else ():
        try:
            check_file(expanded(path))
        except DataError as error:
            raise error.of_task(name) from error


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def preflight_zeroshot(config: ZeroshotConfig) -> None:
    """Look at the labels, the run folder, and the first row of the file of `mtl zeroshot` and `mtl doctor`.

    Raises:
        ConfigError: labels, templates or the run cannot be used.
        DataError: the file cannot be read, or lacks a column.
    """
    section = config.input
    if config.labels is not None or not (config.tasks or section.labels_column):
        make_labels(config.labels, config.templates, 1 if config.labels or config.decide.multi_label else 2)
    if config.run is not None:
        trained_config(config.run)
    if section.file in (None, "-") or config.tasks:
        return
    path = expanded(str(section.file))
    check_file(path)
    columns = {
        "input.text_column": section.text_column,
        "input.label_column": section.label_column,
        "input.labels_column": section.labels_column,
    }
    for row in islice(read_file(path, Options(section.delimiter, section.quoting, "input")), 1):
        for key, column in columns.items():
            if column:
                row.column(column, key)


def _extra_faults(config: TrainConfig, *, sweep: bool) -> Iterator[Fault]:
    families = ("weighting", "launcher") if sweep else ("weighting",)
    needs = [(family, EXTRAS.get((family, getattr(config, family).name))) for family in families]
    if sweep and config.search.trials is not None:
        needs.append(("search.trials", EXTRAS["search", ""]))
    for name, task in config.tasks.items():
        needs += [(f"tasks.{name}.metrics", EXTRAS.get(("metric", metric))) for metric in task.metrics]
    for key, extra in needs:
        lacking = [] if extra is None else [name for name in extra.modules if importlib.util.find_spec(name) is None]
        if extra is not None and lacking:
            packages = "the package" if len(lacking) == 1 else "the packages"
            yield Fault(key, f"needs {packages} {', '.join(lacking)}: pip install 'mtl-cli[{extra.name}]'")


def _root_faults(config: TrainConfig) -> Iterator[Fault]:
    root = config.data.root
    if root and config.data.source in ("auto", "local") and not Path(root).expanduser().is_dir():
        yield Fault(
            "data.root",
            f"there is no folder {Path(root).expanduser()}. Give the folder that holds <task>/<split>.jsonl",
        )
    elif not root and config.data.source == "local" and not all(task.source.files for task in config.tasks.values()):
        yield Fault("data.source", "local needs data.root=DIR, a folder that holds <task>/<split>.jsonl")


def _task_faults(name: str, task: TaskConfig, config: TrainConfig) -> Iterator[Fault]:
    for path in dict.fromkeys(path for split in _SPLITS for path in _files(name, task, split, config)):
        try:
            check_file(path)
            _check_columns(name, task, path)
        except DataError as error:
            yield Fault(f"tasks.{name}", error.problem)


def _files(name: str, task: TaskConfig, split: str, config: TrainConfig) -> list[Path]:
    """The local files of a split that are sure to be read, as far as that can be told here."""
    if task.source.files:
        return [Path(task.source.files[split]).expanduser()] if split in task.source.files else []
    if not config.data.root or config.data.source not in ("auto", "local"):
        return []
    folder = Path(config.data.root).expanduser() / (task.source.folder or name)
    found = [
        next((p for s in SUFFIXES if (p := folder / f"{one}{s}").is_file()), None) for one in task.source.sets(split)
    ]
    return [path for path in found if path is not None] if all(found) else []


def _check_columns(name: str, task: TaskConfig, path: Path) -> None:
    """Raise `DataError` if the first row lacks a column that the task reads, or cannot be read at all."""
    options = Options(task.source.delimiter, task.source.quoting, f"tasks.{name}.source")
    first: Row | None = next(islice(read_file(path, options), 1), None)
    if first is None:
        return
    # The second column of label matching is made, not read.
    for column in [*(task.text[:1] if task.matching else task.text), *([task.label] if task.label else [])]:
        first.column(column, f"task '{name}'")
