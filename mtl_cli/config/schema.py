"""What each subcommand is asked to do, as frozen dataclasses. Every default stands in `configs/`, with its reason.

Optional fields of a task (`None` or empty here) are the exception: a task is a member of a mapping, so no YAML can hold
the defaults of tasks that users add.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import ClassVar, Literal

from mtl_cli.config.convert import Node
from mtl_cli.config.fields import delimiter_faults, is_name, length_faults, not_negative, positive
from mtl_cli.errors import Fault, did_you_mean
from mtl_cli.expression import Expression, tried, value_at

SourceName = Literal["auto", "hub", "local", "bundled"]
SPLITS = ("train", "validation", "test")


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
    delimiter: str | None = None
    """Between the fields of .csv and .tsv files; None: comma and tab, or what the header shows."""
    quoting: Literal["auto", "csv", "none"] = "auto"
    """Whether their fields may stand in quotes, as CSV has it; none: quotes are letters. auto: .csv are, .tsv where the file shows it."""
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
        yield from delimiter_faults(self)

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

    RENAMED: ClassVar[Mapping[str, str]] = {"layout": "is now input: text or packed"}

    kind: Node
    """What the labels are."""
    text: list[str]
    """One column, or two for a pair."""
    label: str | None = None
    """Column of the label; None where the kind has none."""
    metrics: list[str] = field(default_factory=list)
    """Names of metrics; the task's score is their mean. Empty where the kind has no label."""
    objective: Node = field(default_factory=lambda: Node("supervised", {}))
    """What is minimised."""
    source: SourceConfig
    max_length: int | None = None
    """Tokens a row; `data.max_length` if not given."""
    input: Node = field(default_factory=lambda: Node("text", {}))
    """How a row becomes what the model reads: text, packed or words."""
    head: str | None = None
    """Name of the head; tasks that name the same one share it. None: a head of its own, of the task's name."""
    matching: MatchingConfig | None = None
    """Reads labelled texts as label matching; the second text column is `hypothesis` then."""

    def faults(self) -> Iterator[Fault]:
        """A column of text."""
        if not self.text:
            yield Fault("text", "must name one column, or two for a pair; found 0")
        if self.head is not None and not is_name(self.head):
            yield Fault("head", f"may hold letters, digits, '_' and '-'; found '{self.head}'")
        yield from length_faults(self)


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
        yield from positive(self, "limit", "hub_timeout")
        yield from length_faults(self)


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
        yield from positive(self, "size", "micro_size", "micro_tokens", "window")
        yield from not_negative(self, "pass_cost")


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
        yield from positive(self, "lr", "head_lr", "eps", "clip_norm", "layer_decay")
        yield from not_negative(self, "weight_decay")
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
        yield from positive(self, "steps", "epochs", "log_every")
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
        yield from positive(self, "batch_tokens", "patience", "limit")
        yield from not_negative(self, "min_delta", "bootstrap")
        if isinstance(self.every, int):
            yield from positive(self, "every")


@dataclass(frozen=True, kw_only=True)
class CheckpointSection:
    """When to save and what to keep."""

    every: int | None
    keep: int
    keep_optimizer: bool

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from positive(self, "every", "keep")


@dataclass(frozen=True, kw_only=True)
class DiagnosticsSection:
    """Looks at the tasks' gradients."""

    every: int | None
    params: int | str

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from positive(self, "every")
        if isinstance(self.params, int):
            yield from positive(self, "params")


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
        yield from positive(self, "trials")
        yield from not_negative(self, "random", "prune_after")
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
    threads: int | None = None
    """The default is for runs that were stored before there was this key."""

    def faults(self) -> Iterator[Fault]:
        """A positive count that env.json can hold."""
        yield from positive(self, "threads")
        if (self.threads or 0) > 4096:
            yield Fault("threads", f"must be at most 4096; found {self.threads}")


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
                yield Fault("seeds", f"{seed} is listed more than once: it would be the same run")
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


def task_name_faults(tasks: dict[str, TaskConfig]) -> Iterator[Fault]:
    """Names of tasks become file names and module names."""
    if not tasks:
        yield Fault("tasks", "no task is chosen: give task=NAME; `mtl ls task` shows the names")
    for name in tasks:
        if not is_name(name) or name == "mean":
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
        yield from positive(self, "hub_timeout")
        yield from length_faults(self)


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """`mtl eval`."""

    run: str
    trust: bool
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
        yield from positive(self, "batch_tokens")
        yield from not_negative(self, "bootstrap", "seed")
