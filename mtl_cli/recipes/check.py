"""`mtl check`: everything that training does before its first step, one batch a task, and no training."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mtl_cli.assemble.bound import Bound, bind_all, check_chosen, check_scores, check_together
from mtl_cli.assemble.data_facts import SetFacts, data_facts, report_data
from mtl_cli.assemble.fabric import make_fabric
from mtl_cli.assemble.lambdas import Lambdas
from mtl_cli.assemble.length import run_length
from mtl_cli.assemble.rows import Rows
from mtl_cli.assemble.sampling import begin_sampler
from mtl_cli.assemble.tasks import BoundTask, head_names
from mtl_cli.config.convert import Builder
from mtl_cli.config.schema import TrainConfig
from mtl_cli.data.batch import StepBatch
from mtl_cli.data.collate import RowRef, collate
from mtl_cli.data.encoded import EncodedSet
from mtl_cli.data.loader import limited
from mtl_cli.errors import ConfigError, DataError, Fault
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.optim.groups import Placed, freeze
from mtl_cli.report.table import text_table
from mtl_cli.train.step import Passes
from mtl_cli.weighting.base import Weighting

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checked:
    """What was found of one task."""

    name: str
    place: str
    rows: str
    labels: str
    tokens: str
    loss: float


def check(config: TrainConfig) -> str:
    """Bind every builder, read every row, run one batch a task.

    Returns:
        A table of what was found.

    Raises:
        ConfigError: with everything that is wrong, of all tasks together.
    """
    builders = bind_all(config)
    fabric = make_fabric(config.fabric)
    torch.manual_seed(config.seed)
    backbone = builders.backbone.build()
    rows = Rows(config.data, backbone)
    faults: list[Fault] = []
    sets = {name: found for name, bound in builders.tasks.items() if (found := _open(rows, bound, faults))}
    names = list(builders.tasks)
    weighting: Weighting | None = None
    if len(sets) == len(names):
        weighting = _check_steps(config, builders, sets, faults)
    if faults:
        raise ConfigError(faults)
    used = {name: limited(s[0], config.data.limit) for name, s in sets.items()}
    facts = data_facts(
        builders.tasks,
        {name: s[1:] for name, s in sets.items()},
        "validation",
        {n: (s[0], used[n]) for n, s in sets.items()},
    )
    report_data(facts)
    sharing = builders.sharing.build(backbone, names)
    kinds = {name: builders.tasks[name].task.kind.fitted(s[0].labels_N) for name, s in sets.items()}
    model = MultiTaskModel(sharing, {n: k.head for n, k in kinds.items()}, config.seed, head_names(builders.tasks))
    freeze([Placed(p, n, model.depth(n)) for n, p in model.named_parameters()], backbone.layers, config.optim.freeze)
    if weighting is not None:
        check_chosen(config, model, weighting)
    fabric.to_device(model)
    described: list[Checked] = []
    for name, (train, *_) in sets.items():
        chosen = used[name][: config.batch.size]
        refs = [RowRef(name, int(i), int(n)) for i, n in zip(chosen, train.lengths(chosen), strict=True)]
        batch = StepBatch(
            (collate(refs, {name: train}, backbone.pad_id),), {name: len(refs)}, sum(r.length for r in refs)
        )
        weighted = Passes(model, kinds, batch, fabric).again()
        own = [one for one in facts if one.task == name]
        described.append(_described(builders.tasks[name], train, own, float(weighted[list(kinds).index(name)])))
    return _table(described)


def _check_steps(
    config: TrainConfig, builders: Bound, sets: Mapping[str, list[EncodedSet]], faults: list[Fault]
) -> Weighting | None:
    """Build what draws and weighs the rows of a step, and return the weighting; what is wrong goes to `faults`."""
    names, sizes = list(builders.tasks), [len(opened[0]) for opened in sets.values()]
    length = run_length(config, sum(sizes))
    sampler = _built(builders.sampler, (names, sizes), faults)
    try:
        lambdas = Lambdas({n: config.weights[n] for n in names}, length)
    except ConfigError as error:
        faults.extend(error.faults)
        return None
    weighting: Weighting | None = _built(builders.weighting, (names, lambdas), faults)
    if weighting is None or sampler is None:
        return weighting
    try:
        begin_sampler(config.sampler.name, sampler, builders.tasks, length)
        check_together(config, sampler, weighting, length)
        check_scores(builders.tasks, {name: opened[1:] for name, opened in sets.items()}, sampler, weighting)
    except ConfigError as error:
        faults.extend(error.faults)
    return weighting


def _built(builder: Builder, runtime: tuple[object, ...], faults: list[Fault]) -> Any:
    try:
        return builder.build(*runtime)
    except ConfigError as error:
        faults.extend(error.faults)
    return None


def _open(rows: Rows, bound: BoundTask, faults: list[Fault]) -> list[EncodedSet]:
    """The training set and the validation sets; what is wrong goes to `faults`."""
    found: list[EncodedSet] = []
    for split in ("train", "validation"):
        try:
            opened = rows.open(bound.task, split)
            _check_labels(bound, split, opened)
            found += opened
        except DataError as error:
            faults.append(Fault(f"tasks.{bound.task.name}", str(error)))
        except ConfigError as error:
            faults.extend(fault for fault in error.faults if fault not in faults)
    return found


def _check_labels(bound: BoundTask, split: str, opened: list[EncodedSet]) -> None:
    """Raise `DataError` if there is nothing to learn from, or nothing to score."""
    if all(s.unlabelled == len(s) for s in opened):
        raise DataError(
            f"no {split} row has a label in column '{bound.task.label}'. Name another column (tasks.{bound.task.name}.label), or other rows"
        )
    if split == "train":
        try:
            bound.task.kind.fitted(opened[0].labels_N)
        except ValueError as error:
            raise DataError(str(error)) from error


def _described(bound: BoundTask, train: EncodedSet, facts: list[SetFacts], loss: float) -> Checked:
    labels = train.labels_N[~np.isnan(train.labels_N)]
    classes = bound.task.kind.classes
    if classes:
        counts = Counter(labels.astype(int).tolist())
        shown = ", ".join(f"{name} {counts.get(i, 0):,}" for i, name in enumerate(classes[:6])) + (
            ", ..." if len(classes) > 6 else ""
        )
    else:
        shown = f"{labels.min():g} to {labels.max():g}, mean {labels.mean():.3g}"
    place = train.origin.note or train.origin.place
    rows = "/".join(f"{one.used:,}" for one in facts)
    tokens = f"{train.meta.tokens / len(train):.0f}" + (
        f", {train.meta.truncated:,} cut" if train.meta.truncated else ""
    )
    return Checked(bound.task.name, place, rows, shown, tokens, loss)


def _table(found: list[Checked]) -> str:
    rows = [[c.name, c.place, c.rows, c.tokens, f"{c.loss:.4f}", c.labels] for c in found]
    return text_table(["task", "data", "train/validation rows", "tokens a row", "first loss", "labels of train"], rows)
