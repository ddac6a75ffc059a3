"""What each subcommand is asked to do, as frozen dataclasses. Every default stands in `configs/`, with its reason.

Optional fields of a task (`None` or empty here) are the exception: a task is a member of a mapping, so no YAML can hold
the defaults of tasks that users add.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

from mtl_cli.config.convert import Node
from mtl_cli.errors import Fault, did_you_mean
from mtl_cli.expression import Expression, tried, value_at

SourceName = Literal["auto", "hub", "local", "bundled"]
SPLITS = ("train", "validation", "test")


def _is_name(text: str) -> bool:
    return text.replace("_", "").replace("-", "").isalnum()


def _positive(config: object, *names: str) -> Iterator[Fault]:
    for name in names:
        value = getattr(config, name, None)
        if value is not None and not 0 < value < math.inf:
            yield Fault(name, f"must be more than 0; found {value}")


def _length(config: object) -> Iterator[Fault]:
    """A row needs room for the special tokens of a pair and a word of each text."""
    value = getattr(config, "max_length", None)
    if value is not None and value < 8:
        yield Fault("max_length", f"must be at least 8 tokens; found {value}")


def _not_negative(config: object, *names: str) -> Iterator[Fault]:
    for name in names:
        value = getattr(config, name, None)
        if value is not None and not 0 <= value < math.inf:
            yield Fault(name, f"must be 0 or more; found {value}")


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """Where the rows of one task are."""

    hub: str | None = None
    """Id of a data set on the hub, such as `nyu-mll/glue`."""
    subset: str | None = None
    """Name of its configuration, such as `rte`."""
    folder: str | None = None
    """Folder below `data.root` with `<split>.jsonl` (or .csv, .tsv, .parquet); the task's name if not given."""
    bundled: str | None = None
    """Name of the bundled sample."""
    files: dict[str, str] = field(default_factory=dict)
    """The user's own files by split; the only source then."""
    splits: dict[str, str | list[str]] = field(default_factory=dict)
    """Names of the source's splits by ours, where they differ; a list is scored set by set."""
    hub_splits: dict[str, str | list[str]] = field(default_factory=dict)
    """The same for the hub alone, where a folder has splits that the hub has not."""

    def faults(self) -> Iterator[Fault]:
        """Splits must be ours."""
        for place in ("files", "splits", "hub_splits"):
            for name in getattr(self, place, {}):
                if name not in SPLITS:
                    yield Fault(f"{place}.{name}", f"unknown split. {did_you_mean(name, SPLITS)}")

    def sets(self, split: str) -> list[str]:
        """Names that the source gives to one of our splits; several for MNLI's matched and mismatched."""
        names = self.splits.get(split, split)
        return [names] if isinstance(names, str) else names

    def hub_sets(self, split: str) -> list[str]:
        """Names that the hub gives to one of our splits."""
        names = self.hub_splits.get(split, self.sets(split))
        return [names] if isinstance(names, str) else names


@dataclass(frozen=True, kw_only=True)
class MatchingConfig:
    """A classification data set read as label matching: text and sentence about a label, entailment or not."""

    labels: dict[str, str | list[str]] | list[str]
    """Raw label -> its phrase, or several that take turns, or none, in the order of the labels' ids; a list: each is its own phrase."""
    templates: list[str] = field(default_factory=lambda: ["{}"])
    """Sentences with {} for the phrase; they take turns."""
    negatives: int = 1
    """Pairs with sentences about other labels, for each row."""
    seed: int = 0
    """Of the hash by which phrases, templates and other labels are chosen for a row."""

    def phrases(self) -> dict[str, list[str]]:
        """Phrases by label."""
        if isinstance(self.labels, list):
            return {name: [name] for name in self.labels}
        return {name: [given] if isinstance(given, str) else given for name, given in self.labels.items()}

    def faults(self) -> Iterator[Fault]:
        """A label stands once."""
        twice = sorted({name for name in self.labels if list(self.labels).count(name) > 1})
        if twice:
            yield Fault("labels", f"has {', '.join(map(repr, twice))} more than once")


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """One data set read as one task."""

    kind: Node
    """What the labels are: classification or regression."""
    text: list[str]
    """One column, or two for a pair."""
    label: str
    metrics: list[str]
    """Names of metrics; the task's score is their mean."""
    source: SourceConfig
    max_length: int | None = None
    """Tokens a row; `data.max_length` if not given."""
    layout: Literal["joint", "packed"] = "joint"
    """How the two texts of a pair see each other; see `tasks.task.Layout`."""
    head: str | None = None
    """Name of the head; tasks that name the same one share it. None: a head of its own, of the task's name."""
    matching: MatchingConfig | None = None
    """Reads labelled texts as label matching; the second text column is `hypothesis` then."""

    def faults(self) -> Iterator[Fault]:
        """One or two text columns, at least one metric; only pairs are packed."""
        if len(self.text) not in (1, 2):
            yield Fault("text", f"must name one column, or two for a pair; found {len(self.text)}")
        if self.layout == "packed" and len(self.text) == 1:
            yield Fault(
                "layout", "packed is for pairs of a text and a hypothesis; text names one column, and must name two"
            )
        if self.head is not None and not _is_name(self.head):
            yield Fault("head", f"may hold letters, digits, '_' and '-'; found '{self.head}'")
        if not self.metrics:
            yield Fault("metrics", "must name at least one metric")
        yield from _length(self)


@dataclass(frozen=True, kw_only=True)
class RunSection:
    """The run folder."""

    name: str | None
    if_exists: Literal["error", "resume", "skip"]
    outputs: str | None

    def faults(self) -> Iterator[Fault]:
        """The name must be a path below the outputs folder."""
        if self.name is not None and (
            not PurePath(self.name).parts or self.name.startswith(("/", "~")) or ".." in self.name.split("/")
        ):
            yield Fault("name", f"must be a folder name below the outputs folder; found '{self.name}'")
        for part in PurePath(self.name or "").parts:
            if len(part.encode()) > 200:
                yield Fault(
                    "name", f"'{part[:20]}...' is too long for a folder's name: {len(part.encode())} bytes, at most 200"
                )
            if part.startswith((".", "-")) and part != "..":
                yield Fault("name", f"a part of it must not begin with '{part[0]}'; found '{part}'")


@dataclass(frozen=True, kw_only=True)
class DataSection:
    """Where rows come from and how they are cut to length."""

    source: SourceName
    root: str | None
    max_length: int
    limit: int | None
    cache: str | None
    hub_timeout: float

    def faults(self) -> Iterator[Fault]:
        """Positive sizes."""
        yield from _positive(self, "limit", "hub_timeout")
        yield from _length(self)


@dataclass(frozen=True, kw_only=True)
class BatchSection:
    """How the rows of a step go through the model."""

    size: int
    micro_size: int | None
    micro_tokens: int | None
    pass_cost: int
    window: int

    def faults(self) -> Iterator[Fault]:
        """Positive sizes."""
        yield from _positive(self, "size", "micro_size", "micro_tokens", "window")
        yield from _not_negative(self, "pass_cost")


@dataclass(frozen=True, kw_only=True)
class OptimSection:
    """AdamW and what it may change."""

    lr: float
    head_lr: float | None
    weight_decay: float
    betas: tuple[float, float]
    eps: float
    clip_norm: float | None
    bad_step: Literal["error", "skip"]
    layer_decay: float
    freeze: int | Literal["nothing", "encoder"]

    def faults(self) -> Iterator[Fault]:
        """Positive rates, betas in [0, 1)."""
        yield from _positive(self, "lr", "head_lr", "eps", "clip_norm", "layer_decay")
        yield from _not_negative(self, "weight_decay")
        if self.layer_decay > 1:
            yield Fault("layer_decay", f"must be at most 1; found {self.layer_decay}")
        if not all(0 <= beta < 1 for beta in self.betas):
            yield Fault("betas", f"must lie in [0, 1); found {list(self.betas)}")
        if isinstance(self.freeze, int) and self.freeze < 0:
            yield Fault("freeze", f"must be 0 or more layers; found {self.freeze}")


@dataclass(frozen=True, kw_only=True)
class TrainSection:
    """How long to train, and memory for speed."""

    steps: int | None
    epochs: float | None
    log_every: int
    gradient_checkpointing: bool
    compile: bool
    progress: Literal["auto", "bar", "lines", "none"]

    def faults(self) -> Iterator[Fault]:
        """A measure of length; `steps` goes before `epochs`."""
        yield from _positive(self, "steps", "epochs", "log_every")
        if self.steps is None and self.epochs is None:
            yield Fault("", "give train.steps or train.epochs")


@dataclass(frozen=True, kw_only=True)
class EvalSection:
    """When to score the validation splits and what to do with the scores."""

    every: int | Literal["epoch", "end"]
    select: str
    patience: int | None
    min_delta: float
    limit: int | None
    batch_tokens: int
    bootstrap: int

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from _positive(self, "batch_tokens", "patience", "limit")
        yield from _not_negative(self, "min_delta", "bootstrap")
        if isinstance(self.every, int):
            yield from _positive(self, "every")


@dataclass(frozen=True, kw_only=True)
class CheckpointSection:
    """When to save and what to keep."""

    every: int | None
    keep: int
    keep_optimizer: bool

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from _positive(self, "every", "keep")


@dataclass(frozen=True, kw_only=True)
class DiagnosticsSection:
    """Looks at the tasks' gradients."""

    every: int | None
    params: int | str

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from _positive(self, "every")
        if isinstance(self.params, int):
            yield from _positive(self, "params")


@dataclass(frozen=True, kw_only=True)
class SearchSection:
    """`mtl train -m` as a search."""

    trials: int | None
    objective: str | list[str]
    scale: Literal["log", "linear"]
    random: int
    prune: bool
    prune_after: int

    def faults(self) -> Iterator[Fault]:
        """Positive counts; pruning compares one number."""
        yield from _positive(self, "trials")
        yield from _not_negative(self, "random", "prune_after")
        if isinstance(self.objective, list) and not self.objective:
            yield Fault("objective", "must name at least one: mean, TASK or TASK/METRIC")
        if self.prune and len(self.objectives) > 1:
            yield Fault("prune", "trials of several objectives cannot be compared half-way. Give one search.objective")

    @property
    def objectives(self) -> list[str]:
        """One or several."""
        return [self.objective] if isinstance(self.objective, str) else list(self.objective)


@dataclass(frozen=True, kw_only=True)
class FabricSection:
    """Devices, processes and precision, in Lightning Fabric's words."""

    accelerator: str
    devices: int | str
    num_nodes: int
    strategy: str
    precision: str


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """`mtl train`."""

    seed: int
    seeds: list[int] | None
    baselines: bool
    baseline_budget: Literal["steps", "rows"]
    run: RunSection
    data: DataSection
    tasks: dict[str, TaskConfig]
    weights: dict[str, float | Expression]
    backbone: Node
    sharing: Node
    weighting: Node
    sampler: Node
    batch: BatchSection
    optim: OptimSection
    schedule: Node
    train: TrainSection
    eval: EvalSection
    checkpoint: CheckpointSection
    diagnostics: DiagnosticsSection
    launcher: Node
    search: SearchSection
    fabric: FabricSection

    def faults(self) -> Iterator[Fault]:
        """Tasks and weights must name the same tasks; what is selected must be one of them."""
        if not 0 <= getattr(self, "seed", 0) < 2**31:
            yield Fault("seed", f"must lie between 0 and 2147483647; found {self.seed}")
        yield from self._series_faults()
        yield from task_name_faults(self.tasks)
        for name in self.tasks.keys() - self.weights.keys():
            yield Fault(f"weights.{name}", f"missing: every task has a weight. Add +weights.{name}=1.0")
        for name in self.weights.keys() - self.tasks.keys():
            yield Fault(
                f"weights.{name}",
                f"no task has this name. {did_you_mean(name, self.tasks)} To drop it: ~weights.{name}",
            )
        yield from self._weight_faults()
        if self.weights and not any(self.weights.values()):
            yield Fault("weights", "all are 0: nothing would be trained")
        yield from self._select_faults()

    def _series_faults(self) -> Iterator[Fault]:
        seeds = getattr(self, "seeds", None)
        if seeds is not None:
            if not seeds:
                yield Fault("seeds", "must name at least one seed, such as [1,2,3]; null: `seed` alone")
            for seed in sorted({s for s in seeds if seeds.count(s) > 1}):
                yield Fault("seeds", f"{seed} stands there more than once: it would be the same run")
            for seed in seeds:
                if not 0 <= seed < 2**31:
                    yield Fault("seeds", f"must lie between 0 and 2147483647; found {seed}")
        if getattr(self, "baselines", False) and len(getattr(self, "tasks", ())) == 1:
            only = next(iter(self.tasks))
            yield Fault("baselines", f"nothing to compare: '{only}' is the only task, so the run is its own baseline")

    def _weight_faults(self) -> Iterator[Fault]:
        """What can be known before the rows are; the recipe looks at the rest of the steps when it knows how many there are."""
        steps = getattr(getattr(self, "train", None), "steps", None)
        for name, weight in self.weights.items():
            names = weight.names if isinstance(weight, Expression) else frozenset()
            if "steps" in names and not steps:
                continue
            try:
                for step in tried(steps) if steps and "step" in names and "epoch" not in names else [0]:
                    value_at(weight, step, steps or 1, 0.0)
            except ValueError as error:
                yield Fault(f"weights.{name}", str(error))

    def _select_faults(self) -> Iterator[Fault]:
        yield from self._score_faults("eval.select", self.eval.select)
        for objective in self.search.objectives:
            yield from self._score_faults("search.objective", objective)
        if self.search.prune and self.eval.every == "end":
            yield Fault("search.prune", "a trial is judged at its evaluations before the end. Give eval.every=STEPS")

    def _score_faults(self, key: str, text: str) -> Iterator[Fault]:
        task, _, metric = text.partition("/")
        if task == "mean" and not metric:
            return
        if task not in self.tasks:
            yield Fault(key, f"'{text}' is no task. {did_you_mean(task, ['mean', *self.tasks])}")
        elif metric and metric not in self.tasks[task].metrics:
            yield Fault(
                key, f"task '{task}' has no metric '{metric}'. {did_you_mean(metric, self.tasks[task].metrics)}"
            )


@dataclass(frozen=True, kw_only=True)
class MeasureSection:
    """How tasks are measured for `mtl affinity`."""

    kind: Literal["both", "tag", "cosine"]
    every: int
    look_ahead: float
    params: int | str

    def faults(self) -> Iterator[Fault]:
        """Positive counts and rates."""
        yield from _positive(self, "every", "look_ahead")
        if isinstance(self.params, int):
            yield from _positive(self, "params")


def _proposal_faults(config: object) -> Iterator[Fault]:
    yield from _positive(config, "k")
    yield from _not_negative(config, "branch_at")
    measure, fabric = getattr(config, "measure", None), getattr(config, "fabric", None)
    if measure and fabric and measure.kind != "cosine" and fabric.precision != "32-true":
        small = f"'{fabric.precision}' may be too coarse for the small step of a look ahead"
        yield Fault("fabric.precision", f"{small}. Use 32-true, or measure.kind=cosine.")


@dataclass(frozen=True, kw_only=True)
class AffinityConfig(TrainConfig):
    """`mtl affinity` by a short run of its own."""

    measure: MeasureSection
    k: int
    branch_at: int

    def faults(self) -> Iterator[Fault]:
        """As in training; several tasks, and one run."""
        yield from super().faults()
        if len(self.tasks) == 1:
            only = next(iter(self.tasks))
            yield Fault("tasks", f"'{only}' is the only task: there is nothing to put together. Give task=[{only},...]")
        if self.seeds is not None:
            yield Fault("seeds", "a measurement is one run: give seed=N")
        if self.baselines:
            yield Fault(
                "baselines", "a measurement has none. Compare the groups: mtl train sharing=affinity baselines=true"
            )
        yield from _proposal_faults(self)
        if 1 < len(self.tasks) < self.k:
            yield Fault("k", f"{len(self.tasks)} tasks make at most {len(self.tasks)} groups; found {self.k}")
        for name in ("every", "params"):
            own, said = getattr(self.measure, name), getattr(self.diagnostics, name)
            if own != said:
                yield Fault(f"diagnostics.{name}", f"{said} differs from measure.{name}={own}: give the latter alone")


@dataclass(frozen=True, kw_only=True)
class AskSection:
    """What is asked of the runs of `mtl transfer`."""

    split: Literal["train", "validation", "test"]
    limit: int | None
    templates: list[str]
    bootstrap: int

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from _positive(self, "limit")
        yield from _not_negative(self, "bootstrap")


@dataclass(frozen=True, kw_only=True)
class TransferConfig(TrainConfig):
    """`mtl transfer`."""

    families: dict[str, list[str]]
    leave_out: list[str] | None
    whole: bool
    ask: AskSection

    @property
    def left_out(self) -> dict[str, list[str]]:
        """The families that are left out in turn."""
        return {
            name: tasks for name, tasks in self.families.items() if self.leave_out is None or name in self.leave_out
        }

    def faults(self) -> Iterator[Fault]:
        """As in training; each family is of the config's label matching tasks, and something is left without it."""
        yield from super().faults()
        if not self.left_out:
            yield Fault("families", "names no family: there is nothing to leave out")
        for family in self.leave_out or ():
            if family not in self.families:
                yield Fault("leave_out", f"there is no family '{family}'. {did_you_mean(family, self.families)}")
        yield from self._family_faults()
        if self.families and not set(self.tasks) - {name for names in self.families.values() for name in names}:
            yield Fault("families", "hold every task: a task outside them, such as snli, must be left to compare with")
        if self.seeds is not None or self.baselines:
            yield Fault("seeds", "and baselines are for mtl train: give seed=N")

    def _family_faults(self) -> Iterator[Fault]:
        held = {name for names in self.families.values() for name in names}
        core_heads = {task.head or name for name, task in self.tasks.items() if name not in held}
        for family, names in self.left_out.items():
            if not _is_name(family):
                yield Fault(f"families.{family}", "may hold letters, digits, '_' and '-' in its name")
            for name in names:
                task = self.tasks.get(name)
                if task is None:
                    yield Fault(f"families.{family}", f"there is no task '{name}'. {did_you_mean(name, self.tasks)}")
                elif task.matching is None:
                    yield Fault(
                        f"families.{family}", f"'{name}' is no label matching task, so it has no labels to ask for"
                    )
                elif core_heads and (task.head or name) not in core_heads:
                    lacks = f"'{name}' is asked of the head '{task.head or name}', which no task outside the families trains"
                    yield Fault(f"families.{family}", f"{lacks}: there is {', '.join(sorted(core_heads))}")


def task_name_faults(tasks: dict[str, TaskConfig]) -> Iterator[Fault]:
    """Names of tasks become file names and module names."""
    if not tasks:
        yield Fault("tasks", "no task is chosen: give task=NAME; `mtl ls task` shows the names")
    for name in tasks:
        if not _is_name(name) or name == "mean":
            yield Fault(f"tasks.{name}", "a task's name may hold letters, digits, '_' and '-', and is not 'mean'")


@dataclass(frozen=True, kw_only=True)
class EvalDataSection:
    """Where rows come from; what is null is as in the run."""

    source: SourceName | None
    root: str | None
    max_length: int | None
    cache: str | None
    hub_timeout: float | None

    def faults(self) -> Iterator[Fault]:
        """As in training."""
        yield from _positive(self, "hub_timeout")
        yield from _length(self)


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """`mtl eval`."""

    run: str
    checkpoint: str
    split: Literal["train", "validation", "test"]
    tasks: dict[str, TaskConfig]
    weights: dict[str, float | Expression]
    heads: dict[str, str] | None
    files: dict[str, str] | None
    name: str | None
    data: EvalDataSection
    batch_tokens: int
    bootstrap: int
    seed: int
    fabric: FabricSection

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from _positive(self, "batch_tokens")
        yield from _not_negative(self, "bootstrap", "seed")


@dataclass(frozen=True, kw_only=True)
class StoredDataSection:
    """Where a run's rows come from now; what is null is as in the run."""

    source: SourceName | None
    root: str | None
    cache: str | None
    hub_timeout: float | None

    def faults(self) -> Iterator[Fault]:
        """As in training."""
        yield from _positive(self, "hub_timeout")


@dataclass(frozen=True, kw_only=True)
class AffinityRunConfig:
    """`mtl affinity run=RUN`."""

    run: str
    source: Literal["checkpoint", "metrics"]
    checkpoint: str
    steps: int
    name: str | None
    measure: MeasureSection
    k: int
    branch_at: int
    data: StoredDataSection
    batch_size: int | None
    seed: int
    fabric: FabricSection

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from _positive(self, "steps", "batch_size")
        yield from _not_negative(self, "seed")
        yield from _proposal_faults(self)
        if self.name is not None and ("/" in self.name or self.name.startswith(".") or not self.name):
            yield Fault("name", f"must be one folder name; found '{self.name}'")


@dataclass(frozen=True, kw_only=True)
class InputSection:
    """The texts of `mtl zeroshot`."""

    texts: list[str]
    file: str | None
    text_column: str
    label_column: str | None
    labels_column: str | None


@dataclass(frozen=True, kw_only=True)
class CalibrateSection:
    """Temperature of `mtl zeroshot`, and what it and the prior are found on."""

    temperature: float
    fit: int
    sample: int

    def faults(self) -> Iterator[Fault]:
        """Positive; the temperature is given or fitted."""
        yield from _positive(self, "temperature", "sample")
        yield from _not_negative(self, "fit")
        if self.fit and self.temperature != 1:
            yield Fault("temperature", "is given and fitted too: give --temperature or --fit-temperature")


def _fractions(config: object, *names: str) -> Iterator[Fault]:
    for name in names:
        value = getattr(config, name, None)
        if value is not None and not 0 < value < 1:
            yield Fault(name, f"must lie between 0 and 1; found {value:g}")


@dataclass(frozen=True, kw_only=True)
class DecideSection:
    """How the probabilities of `mtl zeroshot` become answers."""

    multi_label: bool
    threshold: float | dict[str, float]
    abstain: float | None
    target_precision: float | None
    hold: int
    confidence: float
    curve: str | None

    def faults(self) -> Iterator[Fault]:
        """Probabilities; abstaining is for one label a text, and has one threshold."""
        yield from _fractions(self, "abstain", "target_precision", "confidence")
        yield from _positive(self, "hold")
        own = self.threshold if isinstance(self.threshold, dict) else {"": self.threshold}
        for name, value in own.items():
            if not 0 < value < 1:
                yield Fault(f"threshold.{name}".rstrip("."), f"must lie between 0 and 1; found {value:g}")
        if self.abstain is not None and self.target_precision is not None:
            yield Fault("abstain", "a threshold is given and asked for too: give --abstain or --target-precision")
        for name in ("abstain", "target_precision", "curve"):
            if self.multi_label and getattr(self, name) is not None:
                yield Fault(
                    name, "is for one label a text. With --multi-label a text may get no label: see --threshold"
                )


@dataclass(frozen=True, kw_only=True)
class OutSection(RunSection):
    """The run folder of `mtl zeroshot`."""

    folder: Literal["auto", "always", "never"]

    def faults(self) -> Iterator[Fault]:
        """A name asks for a folder."""
        yield from super().faults()
        if self.folder == "never" and self.name is not None:
            yield Fault("folder", "is 'never', and out.name asks for one")


@dataclass(frozen=True, kw_only=True)
class ZeroshotDataSection:
    """Where the rows of the task of `mtl zeroshot` come from."""

    source: SourceName
    root: str | None
    hub_timeout: float

    def faults(self) -> Iterator[Fault]:
        """As in training."""
        yield from _positive(self, "hub_timeout")


@dataclass(frozen=True, kw_only=True)
class ZeroshotConfig:
    """`mtl zeroshot`."""

    tasks: dict[str, TaskConfig]
    weights: dict[str, float | Expression]
    """What task files bring; it has no meaning here."""
    split: Literal["train", "validation", "test"]
    limit: int | None
    data: ZeroshotDataSection

    labels: dict[str, Any] | list[str] | None
    templates: list[str]
    run: str | None
    checkpoint: str
    backbone: Node
    method: Node
    verbalizer: Node
    words_file: str | None
    prior: Node
    input: InputSection
    calibrate: CalibrateSection
    decide: DecideSection
    out: OutSection
    max_length: int
    batch_tokens: int
    cache: bool
    explain: bool
    bootstrap: int
    seed: int
    format: Literal["auto", "table", "jsonl"]
    fabric: FabricSection

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from _positive(self, "limit")
        if len(self.tasks) > 1:
            yield Fault("task", f"one data set is asked at a time; found {', '.join(self.tasks)}")
        if self.tasks and (self.input.texts or self.input.file is not None):
            yield Fault("task", "names a data set, and there are texts too: give --file or --text, or a task")
        yield from _positive(self, "batch_tokens")
        yield from _length(self)
        yield from _not_negative(self, "bootstrap", "seed")
        asked = {
            "prior": self.prior.name != "none",
            "verbalizer": self.verbalizer.name != "none",
            "words_file": self.words_file is not None,
            "calibrate.fit": self.calibrate.fit,
            "decide.target_precision": self.decide.target_precision,
        }
        for key in [key for key, value in asked.items() if value and self.input.labels_column]:
            yield Fault(key, "needs one label set for all texts; input.labels_column gives each text its own")


@dataclass(frozen=True, kw_only=True)
class DoctorSection:
    """What `mtl doctor` looks at, and from where on it says something."""

    sample: int
    similar: float
    margin: float
    share: float
    tokens: int
    sense: float
    shown: int
    suggest: str | None

    def faults(self) -> Iterator[Fault]:
        """Positive counts, shares between 0 and 1."""
        yield from _positive(self, "sample", "tokens", "shown")
        yield from _fractions(self, "similar", "margin", "share", "sense")


@dataclass(frozen=True, kw_only=True)
class DoctorConfig(ZeroshotConfig):
    """`mtl doctor`."""

    doctor: DoctorSection
