"""Real (non-padding) tokens a second of one optimiser step: Hugging Face's Trainer beside ours, in one run.

Variants:
    hf_default: `Trainer` as it comes: rows in random order, `DataCollatorWithPadding`, around a naive multi-task module
        (one encoder, one head a task, the task's number beside each row, mixed batches, loss = mean over rows).
    hf_grouped: the same with `train_sampling_strategy="group_by_length"`.
    ours: `Loop` over `StepLoader`, `Passes`, `MultiTaskModel`, `Static` and fused AdamW as `mtl train` builds them,
        with the batch settings of `configs/train.yaml`; `--pass-cost` and `--window` add variants with other settings.

What makes the numbers fair:
    - All train on the same rows (a seeded choice from all tasks together, so proportional to size), encoded once before
      any clock runs, with the same backbone, pooling, head dropout, row losses, batch size, learning rate, clipping and
      number of steps. Trainer gets its rows as lists in memory, the cheapest source it can have.
    - One process: all share one import, one allocator and one state of the machine. Each variant builds its own model
      and optimiser in each round; the variants alternate (A B C A B C ...), a round has one seed for all, and ratios
      are taken inside a round. The first steps of every turn do not count: allocator, caches and optimiser are warm.
    - With one thread the clock is the process's CPU time, which other programs on the machine disturb least; with more
      it is wall time. It runs from the end of the last uncounted step (Trainer: from the beginning of the first counted
      one) to the end of the last step. So what a user pays for in a step counts on both sides (collation, loss checks,
      records, callbacks), on our side one collation more. Evaluation, saving and logging are off, or come later.

What they do not show: Trainer sorts mega-batches of min(50, rows / 4 batches) batches, so with few rows it groups less
well than on a whole data set. `--rows 6400 --steps 200 --skip 50` gives it its full 50. In a mega-batch long rows come
first: `--skip` and `--steps` must hold whole mega-batches (the defaults do), or its counted rows are not like ours.

Exit code 1 if ours / hf_default or ours / hf_grouped (medians) is below what it must be; `--no-check` only reports.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from mtl_cli.assemble.bound import Bound, bind_all
from mtl_cli.assemble.fabric import make_fabric
from mtl_cli.assemble.planned import pass_limits
from mtl_cli.assemble.rows import Rows
from mtl_cli.cli.common import quiet_libraries
from mtl_cli.config.compose import compose
from mtl_cli.config.convert import convert_or_raise
from mtl_cli.config.schema import TrainConfig
from mtl_cli.data.batch import StepBatch
from mtl_cli.data.encoded import EncodedSet
from mtl_cli.data.loader import StepLoader
from mtl_cli.metrics.scorer import TaskScore
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.optim.groups import Placed, Rates, adamw
from mtl_cli.tasks.columns import Column, chosen
from mtl_cli.tasks.kinds.base import Kind
from mtl_cli.train.loop import Loop, Settings, State, Stop
from mtl_cli.train.select import Selector
from mtl_cli.train.step.standard import StandardStepper

TASKS = ("sst2", "mrpc", "sick_e", "sick_r")
MUST_DEFAULT, MUST_GROUPED = 2.0, 1.25
Clock = Callable[[], float]


@dataclass(frozen=True)
class Span:
    """Which steps count, and by which clock."""

    skip: int
    steps: int
    clock: Clock


@dataclass(frozen=True)
class Sizes:
    """Lengths of the rows of some steps, and the padded tokens that held them."""

    lengths: np.ndarray
    padded: int
    passes: int

    @property
    def real(self) -> int:
        """Tokens that are not padding."""
        return int(self.lengths.sum())

    @property
    def context(self) -> float:
        """Tokens that a real token attends to, on average."""
        return float((self.lengths.astype(np.float64) ** 2).sum() / self.real)


@dataclass(frozen=True)
class Turn:
    """One variant's share of a round."""

    seconds: float
    sizes: Sizes
    flop_a_token: float
    parts: Mapping[str, float] = field(default_factory=dict)
    """Seconds by part of the step, if they were asked for."""

    @property
    def speed(self) -> float:
        """Real tokens a second."""
        return self.sizes.real / self.seconds


@dataclass(frozen=True)
class Bench:
    """What all variants share."""

    config: TrainConfig
    builders: Bound
    sets: Mapping[str, EncodedSet]
    rows: Mapping[str, np.ndarray]
    """The chosen rows of each task."""
    kinds: Mapping[str, Kind]
    span: Span

    def backbone(self, seed: int) -> Backbone:
        """A fresh encoder."""
        torch.manual_seed(seed)
        return self.builders.backbone.build()


def flop_a_token(encoder: nn.Module, sizes: Sizes) -> float:
    """6 N + 12 (layers) (width) (context), N without embeddings: forward and backward of one real token."""
    config: Any = encoder.config
    inner = sum(p.numel() for name, p in encoder.named_parameters() if "embeddings" not in name)
    return 6 * inner + 12 * config.num_hidden_layers * config.hidden_size * sizes.context


# --- Hugging Face's Trainer -------------------------------------------------------------------------------------------


class NaiveMultiTask(nn.Module):
    """What one writes for Trainer: an encoder, a head a task, and the rows of each task picked out of the batch."""

    def __init__(self, backbone: Backbone, kinds: Mapping[str, Kind], head_dropout: float) -> None:
        super().__init__()
        self.encoder = backbone.encoder
        self.dropout = nn.Dropout(head_dropout)
        self.heads = nn.ModuleList(nn.Linear(backbone.width, kind.head.size) for kind in kinds.values())
        self.kinds = list(kinds.values())

    def forward(
        self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor, task_ids: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Mean loss over the rows."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        hidden = self.encoder(**inputs).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = self.dropout((hidden * mask).sum(1) / mask.sum(1))
        loss = hidden.new_zeros(())
        for k, (kind, head) in enumerate(zip(self.kinds, self.heads, strict=True)):
            chosen = task_ids == k
            if chosen.any():
                loss = loss + kind.loss(Column(head(pooled[chosen])), {"label": Column(labels[chosen])}).sum()
        return {"loss": loss / len(labels)}


class Watch(TrainerCallback):
    """Starts with the first counted step and stops with the last."""

    def __init__(self, span: Span) -> None:
        self.span, self.began, self.seconds = span, 0.0, 0.0

    def on_step_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock."""
        if state.global_step == self.span.skip:
            self.began = self.span.clock()

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop the clock."""
        if state.global_step == self.span.steps:
            self.seconds = self.span.clock() - self.began


def features(bench: Bench) -> list[dict[str, Any]]:
    """The chosen rows as Trainer wants them."""
    found = []
    for k, (name, encoded) in enumerate(bench.sets.items()):
        for row in bench.rows[name]:
            at = slice(int(encoded.offsets[row]), int(encoded.offsets[row + 1]))
            ids = encoded.ids_T[at].tolist()
            types = [0] * len(ids) if encoded.types_T is None else encoded.types_T[at].tolist()
            found.append({
                "input_ids": ids, "token_type_ids": types, "attention_mask": [1] * len(ids),
                "label": float(encoded.targets["label"].values[row]), "task_ids": k,
            })  # fmt: skip
    return found


def hf_turn(bench: Bench, rows: list[dict[str, Any]], sampling: str, seed: int) -> Turn:
    """Train with Trainer."""
    backbone = bench.backbone(seed)
    model = NaiveMultiTask(backbone, bench.kinds, float(bench.builders.sharing.options["head_dropout"]))
    pad = DataCollatorWithPadding(backbone.tokenizer)
    masks: list[Tensor] = []

    def collate(listed: list[dict[str, Any]]) -> Any:
        batch = pad(listed)
        masks.append(batch["attention_mask"])
        return batch

    watch = Watch(bench.span)
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            output_dir=folder, max_steps=bench.span.steps, per_device_train_batch_size=bench.config.batch.size,
            learning_rate=bench.config.optim.lr, train_sampling_strategy=sampling, seed=seed, use_cpu=True,
            report_to="none", logging_strategy="no", save_strategy="no", eval_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        tokenizer = backbone.tokenizer
        trainer = Trainer(model, args, collate, train_dataset=rows, processing_class=tokenizer, callbacks=[watch])
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    # Trainer collates one batch ahead, in order: the i-th batch is that of the i-th step.
    counted = masks[bench.span.skip : bench.span.steps]
    sizes = Sizes(np.concatenate([m.sum(1).numpy() for m in counted]), sum(m.numel() for m in counted), len(counted))
    return Turn(watch.seconds, sizes, flop_a_token(backbone.encoder, sizes))


# --- ours -------------------------------------------------------------------------------------------------------------


class SeenLoader(StepLoader):
    """Keeps the batches, to count their tokens when the clock has stopped."""

    seen: list[StepBatch]

    def step(self, step: int) -> StepBatch:
        """As it is."""
        batch = super().step(step)
        self.seen.append(batch)
        return batch


class Parts:
    """Seconds spent inside some methods."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = {}

    def wrap(self, owner: Any, method: str, part: str) -> None:
        """Time a method of one object."""
        inner = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = self.clock()
            try:
                return inner(*args, **kwargs)
            finally:
                self.seconds[part] = self.seconds.get(part, 0.0) + self.clock() - began

        setattr(owner, method, timed)


class Recorder:
    """Stands where the run folder's recorder stands; starts and stops the clock."""

    def __init__(self, span: Span, parts: Parts | None) -> None:
        self.span, self.parts, self.began, self.seconds = span, parts, 0.0, 0.0

    def train(self, record: dict[str, Any]) -> None:
        """Nothing."""

    def evaluation(self, step: int, scores: Sequence[TaskScore], best: bool) -> None:
        """Nothing."""

    def progress(self, step: int, losses: Mapping[str, float], rows: int) -> None:
        """A step is done."""
        if step == self.span.skip:
            if self.parts:
                self.parts.seconds.clear()
            self.began = self.span.clock()
        elif step == self.span.steps:
            self.seconds = self.span.clock() - self.began

    def save(self, step: int, state: State, *, best: bool) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Ours:
    """The objects of one run, as the recipe `train` makes them."""

    loop: Loop
    loader: SeenLoader
    encoder: nn.Module
    recorder: Recorder
    parts: Parts | None


def build(bench: Bench, config: TrainConfig, seed: int, breakdown: bool) -> Ours:
    """Build a run as `mtl_cli.recipes.train` does."""
    backbone, names = bench.backbone(seed), list(bench.kinds)
    fabric, builders, span, o = make_fabric(config.fabric), bench.builders, bench.span, config.optim
    model = MultiTaskModel(builders.sharing.build(backbone, names), {n: k.head for n, k in bench.kinds.items()}, seed)
    model.train()
    weighting = builders.weighting.build(names, lambda _: [config.weights[n] for n in names])
    rates = Rates(o.lr, o.lr, o.weight_decay, o.betas, o.eps, o.layer_decay)
    optimizer = adamw([Placed(p, n, None) for n, p in model.trained()], backbone.layers, rates, weighting.parameters())
    sampler = builders.sampler.build(names, [len(bench.rows[n]) for n in names])
    loader = SeenLoader(
        bench.sets, bench.rows, sampler,
        size=config.batch.size, window=config.batch.window, seed=seed,
        passes=pass_limits(config.batch, by_task=False, flat=backbone.flat),
    )  # fmt: skip
    loader.seen = []
    parts = Parts(span.clock) if breakdown else None
    recorder = Recorder(span, parts)
    stepper = StandardStepper(
        model=model, losses=bench.kinds, weighting=weighting, optimizer=optimizer, loader=loader, clip_norm=o.clip_norm,
        schedule=builders.schedule.build(span.steps), fabric=fabric, diagnostics=None,
    )  # fmt: skip
    loop = Loop(
        model=model, kinds=bench.kinds, stepper=stepper, recorder=recorder, evaluate=list,
        selector=Selector("mean", None, 0.0), fabric=fabric, stop=Stop(),
        settings=Settings(span.steps, span.steps, config.train.log_every, span.steps, None, o.bad_step),
    )  # fmt: skip
    if parts:
        watch_parts(parts, stepper, {"model": model, "loader": loader, "optimizer": optimizer, "fabric": fabric})
    return Ours(loop, loader, backbone.encoder, recorder, parts)


def watch_parts(parts: Parts, stepper: StandardStepper, objects: Mapping[str, Any]) -> None:
    """Time what a step is made of."""
    parts.wrap(objects["loader"], "step", "data")
    parts.wrap(objects["model"], "forward", "forward")
    parts.wrap(objects["fabric"], "backward", "backward")
    parts.wrap(stepper, "_clip", "clip")
    parts.wrap(objects["optimizer"], "step", "optimiser")
    parts.wrap(objects["optimizer"], "zero_grad", "optimiser")


def sizes_of(batches: Sequence[StepBatch]) -> Sizes:
    """Count the tokens of some steps."""
    passes = [one for batch in batches for one in batch.passes]
    lengths = [p.inputs.lengths_B for p in passes]
    return Sizes(np.concatenate(lengths), sum(p.tokens for p in passes), len(passes))


def our_turn(bench: Bench, pass_cost: int, window: int, seed: int, breakdown: bool = False) -> Turn:
    """Train with our loop."""
    config = replace(bench.config, batch=replace(bench.config.batch, pass_cost=pass_cost, window=window))
    ours = build(bench, config, seed, breakdown)
    torch.manual_seed(seed)
    ours.loop.run()
    sizes = sizes_of(ours.loader.seen[bench.span.skip :])
    parts = dict(ours.parts.seconds) if ours.parts else {}
    return Turn(ours.recorder.seconds, sizes, flop_a_token(ours.encoder, sizes), parts)


# --- the run ----------------------------------------------------------------------------------------------------------


def prepare(args: argparse.Namespace, cache: str) -> Bench:
    """Compose the config, encode the rows and choose those that all train on."""
    values = compose("train", [
        f"task=[{','.join(TASKS)}]", "backbone=minilm",
        "data.source=local", f"data.root={args.data_root}", f"data.cache={cache}",
        "data.max_length=128", "batch.size=32", "optim.lr=1e-4", "fabric.accelerator=cpu", "fabric.precision=32-true",
    ]).values  # fmt: skip
    config = convert_or_raise(TrainConfig, values)
    builders = bind_all(config)
    rows = Rows(config.data, builders.backbone.build())
    sets = {name: rows.open(bound.task, "train")[0] for name, bound in builders.tasks.items()}
    known = {name: np.flatnonzero(encoded.labelled_N) for name, encoded in sets.items()}
    kinds = {n: b.task.kind.fitted(chosen(sets[n].targets, known[n])) for n, b in builders.tasks.items()}
    clock = time.process_time if args.threads == 1 else time.perf_counter
    return Bench(config, builders, sets, choose(known, args.rows, args.seed), kinds, Span(args.skip, args.steps, clock))


def choose(known: Mapping[str, np.ndarray], count: int, seed: int) -> dict[str, np.ndarray]:
    """The first `count` of all tasks' rows, shuffled together."""
    pairs = np.array([(k, row) for k, rows in enumerate(known.values()) for row in rows])
    taken = pairs[np.random.default_rng(seed).permutation(len(pairs))[:count]]
    return {name: np.sort(taken[taken[:, 0] == k, 1]) for k, name in enumerate(known)}


def gemm_peak(clock: Clock, seconds: float = 0.4) -> float:
    """Most fp32 FLOP/s of a matrix product, of some sizes."""
    best = 0.0
    for rows, inner, columns in ((1024, 1024, 1024), (2048, 2048, 2048), (1024, 384, 1536)):
        a, b = torch.randn(rows, inner), torch.randn(inner, columns)
        a @ b
        until = clock() + seconds
        while clock() < until:
            began = clock()
            for _ in range(3):
                a @ b
            best = max(best, 3 * 2.0 * rows * inner * columns / (clock() - began))
    return best


def variants(bench: Bench, args: argparse.Namespace) -> dict[str, Callable[[int], Turn]]:
    """What takes turns: by name, a function of the round's seed."""
    batch, rows = bench.config.batch, features(bench)
    found: dict[str, Callable[[int], Turn]] = {
        "hf_default": partial(hf_turn, bench, rows, "random"),
        "hf_grouped": partial(hf_turn, bench, rows, "group_by_length"),
        "ours": partial(our_turn, bench, batch.pass_cost, batch.window),
    }
    for cost, window in itertools.product(args.pass_cost or [batch.pass_cost], args.window or [batch.window]):
        if (cost, window) != (batch.pass_cost, batch.window):
            found[f"ours cost={cost} window={window}"] = partial(our_turn, bench, cost, window)
    return found


def rounds(bench: Bench, args: argparse.Namespace) -> tuple[dict[str, list[Turn]], float]:
    """Let the variants take turns; also the most FLOP/s of a matrix product, measured before and after each round."""
    turns: dict[str, list[Turn]] = {}
    peaks = []
    listed = variants(bench, args)
    for number in range(args.rounds):
        peaks.append(gemm_peak(bench.span.clock))
        for name, run in listed.items():
            gc.collect()
            turns.setdefault(name, []).append(run(args.seed + number))
            print(f"round {number + 1} {name}: {turns[name][-1].speed:.0f} tok/s", file=sys.stderr)
    peaks.append(gemm_peak(bench.span.clock))
    return turns, max(peaks)


def ranged(values: Sequence[float], digits: int = 0) -> str:
    """Median [least-most]."""
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}-{max(values):.{digits}f}]"


def ratio(turns: Mapping[str, Sequence[Turn]], name: str, base: str) -> list[float]:
    """Speed over that of another variant in the same round."""
    return [a.speed / b.speed for a, b in zip(turns[name], turns[base], strict=True)]


def report(turns: Mapping[str, Sequence[Turn]], peak: float, size: int) -> None:
    """Print the table; `size` is rows a step."""
    wide = max(len(name) for name in turns)
    print(f"GEMM peak {peak / 1e9:.0f} GFLOP/s")
    print(
        f"{'variant':{wide}}  {'real tok/s':>16}  fill  passes   ex/s  GFLOP/s  of peak"
        f"  {'/ hf_default':>16}  {'/ hf_grouped':>16}"
    )
    for name, listed in turns.items():
        fill, passes, rows, flops = (statistics.median(column) for column in zip(*map(facts, listed), strict=True))
        ratios = "  ".join(f"{ranged(ratio(turns, name, base), 2):>16}" for base in ("hf_default", "hf_grouped"))
        print(
            f"{name:{wide}}  {ranged([t.speed for t in listed]):>16}  {fill:.2f}  {passes * size:6.1f}  {rows:5.1f}"
            f"  {flops / 1e9:7.1f}  {flops / peak:7.0%}  {ratios}"
        )


def facts(turn: Turn) -> tuple[float, float, float, float]:
    """Fill, passes a row, rows a second, FLOP/s of the model."""
    sizes, rows = turn.sizes, len(turn.sizes.lengths)
    return sizes.real / sizes.padded, sizes.passes / rows, rows / turn.seconds, turn.speed * turn.flop_a_token


def check(turns: Mapping[str, Sequence[Turn]]) -> bool:
    """Whether our ratios are what they must be."""
    good = True
    for base, must in (("hf_default", MUST_DEFAULT), ("hf_grouped", MUST_GROUPED)):
        found = ratio(turns, "ours", base)
        enough = statistics.median(found) >= must
        good = good and enough
        print(f"ours / {base}: {ranged(found, 2)}, must be {must} or more: {'yes' if enough else 'NO'}")
    return good


def breakdown(bench: Bench, args: argparse.Namespace) -> None:
    """Print where our step's time goes: by part, then by operator."""
    batch = bench.config.batch
    turn = our_turn(bench, batch.pass_cost, batch.window, args.seed, breakdown=True)
    steps = bench.span.steps - bench.span.skip
    parts = {**turn.parts, "losses, records, other": turn.seconds - sum(turn.parts.values())}
    print(f"\nours, ms a step: {turn.seconds / steps * 1e3:.0f}")
    for part, seconds in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"  {part:24} {seconds / steps * 1e3:8.1f}  {seconds / turn.seconds:5.1%}")
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        our_turn(bench, batch.pass_cost, batch.window, args.seed)
    events = sorted(profile.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(e.self_cpu_time_total for e in events)
    print("operators, share of their own time (all steps, with the profiler on)")
    for event in events[:16]:
        share, calls = event.self_cpu_time_total / total, event.count / bench.span.steps
        print(f"  {event.key[:48]:48} {share:5.1%}  {calls:7.1f} calls a step")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Use so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def numbers(text: str) -> list[int]:
    """Several whole numbers with commas between them."""
    return [int(part) for part in text.split(",")]


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add, several = parser.add_argument, "N[,N...]: more variants of ours with these values of "
    add("--data-root", type=Path, required=True, help="folder with sst2, mrpc and sick, each with train.jsonl")
    add("--rows", type=int, default=512, help="rows that all train on")
    add("--steps", type=int, default=16, help="optimiser steps a turn")
    add("--skip", type=int, default=4, help="first steps that do not count")
    add("--rounds", type=int, default=3, help="turns of each variant")
    add("--threads", type=int, default=1, help="1: CPU seconds; more: wall clock")
    add("--seed", type=int, default=1, help="of the rows, and of the first round")
    add("--pass-cost", type=numbers, help=f"{several}batch.pass_cost")
    add("--window", type=numbers, help=f"{several}batch.window")
    add("--breakdown", action="store_true", help="also show where our step's time goes")
    add("--no-check", action="store_true", help="exit with 0 whatever the ratios are")
    args = parser.parse_args(argv)
    if not 0 < args.skip < args.steps:
        parser.error("--skip must be more than 0 and less than --steps")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    args = parsed(argv)
    quiet_libraries()
    logging.getLogger("mtl_cli").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as cache, threads(args.threads):
        bench = prepare(args, cache)
        clock = "CPU time" if args.threads == 1 else "wall clock"
        shares, counted = ", ".join(f"{name} {len(rows)}" for name, rows in bench.rows.items()), args.steps - args.skip
        print(f"{args.threads} thread(s), {clock}; {args.rounds} rounds of {counted} counted steps")
        print(f"rows: {shares}", flush=True)
        turns, peak = rounds(bench, args)
        report(turns, peak, bench.config.batch.size)
        good = check(turns)
        if args.breakdown:
            breakdown(bench, args)
    return 0 if good or args.no_check else 1


if __name__ == "__main__":
    sys.exit(main())
