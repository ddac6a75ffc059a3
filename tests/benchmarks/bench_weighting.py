"""What a weighting costs: one optimiser step with it over one with a plain weighted sum, in CPU time of one thread.

MiniLM-L6 on SST-2, MRPC, RTE and SICK-E, sampler `all_tasks`, 4 x 8 and 4 x 32 rows, fp32, AdamW, clip 1.0.

Sides:
    plain: `weighting=static` through `Loop`, `StepLoader`, `Passes` and fused AdamW as `mtl train` builds them. Its forward
        passes mix tasks, as by default.
    each of `--methods`: the same loop with that weighting as configured by default; its passes are cut as it asks for.
    mtl_backward pcgrad, upgrad: TorchJD as its documentation shows it: a batch a task, `mtl_backward`, `jac_to_grad`.
    libmtl sum, pcgrad, mgda: a loop as in LibMTL (`AbsWeighting._compute_grad`): a batch a task, a backward pass a task with the graphs
        retained, each gradient copied flat into a row, then the method on the rows.
    The two libraries' sides get our encoder with its cheaper dropout and attention, but with `nn.Embedding`, since they look for a
    gradient of the table where ours has none; clipping and AdamW are ours too.

What makes the numbers fair:
    - A method and plain alternate, a turn each, both on the rows of the same steps and with the same seed for dropout. A
      ratio is taken inside such a pair; the table has the median over the pairs, and the least and the most.
    - One process, one model and one optimiser for all of our sides (and one of each for all of theirs), so allocator,
      caches and moments are warm; each side's first turn does not count.
    - The clock is the CPU time of the process, which has one thread. A step counts from drawing its rows to the end of its records.

`aggregation`: milliseconds from the last task's backward pass to the direction in `.grad`; it is part of the step.

`--memory` compares peak resident memory of whole processes: three steps of plain, and of pcgrad with rows in float32 and
in bfloat16. What they add may be m rows of the chosen parameters, that is m N bytes times 4 or 2.

Exit code 1 if a median ratio or the memory is above its limit; `--no-check` only reports. Our own limits only are checked.
"""

from __future__ import annotations

import argparse
import gc
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from child import Used, ranged, run

TASKS = ("sst2", "mrpc", "rte", "sick_e")
GRADIENT = ("pcgrad", "upgrad", "cagrad", "mgda", "nash_mtl", "aligned_mtl", "fairgrad")
SCALAR = ("sum", "uncertainty", "dwa", "rlw", "gls", "imtl_l")
METHODS = (*GRADIENT, "gradnorm", *SCALAR, "famo")
PEERS = ("mtl_backward pcgrad", "mtl_backward upgrad", "libmtl sum", "libmtl pcgrad", "libmtl mgda")
MEMORY = (("plain", 0), ("pcgrad float32", 4), ("pcgrad bfloat16", 2))
"""Cases of `--memory`, and the bytes that a number in a row of theirs has."""
PLAIN = "static"


def limit(method: str, rows: int) -> float | None:
    """The most that a step may take, over plain; None for what is not ours."""
    if method in GRADIENT:
        return 1.15 if rows >= 32 else 1.3
    return {"gradnorm": 1.2, "famo": 1.4, **dict.fromkeys(SCALAR, 1.02)}.get(method)


class Side(Protocol):
    """Something that takes optimiser steps."""

    def step(self) -> None:
        """The next one."""

    def aggregation(self) -> float:
        """Seconds that aggregation has taken since this was last asked."""


# --- ours -------------------------------------------------------------------------------------------------------------


class Bench:
    """What all sides of one batch size share.

    Args:
        data_root: see `--data-root`.
        cache: for encoded rows.
        rows: of each task in a step.
        max_length: tokens a row.
        seed: of everything.
    """

    def __init__(self, data_root: Path, cache: str, rows: int, max_length: int, seed: int) -> None:
        import torch

        from mtl_cli.assemble.fabric import make_fabric
        from mtl_cli.assemble.rows import Rows
        from mtl_cli.data.loader import limited
        from mtl_cli.model.multitask import MultiTaskModel
        from mtl_cli.optim.groups import Placed, Rates, adamw
        from mtl_cli.tasks.columns import chosen

        self.seed = seed
        self._words = [
            f"task=[{','.join(TASKS)}]", "sampler=all_tasks", "backbone=minilm", "data.source=local", f"data.root={data_root}",
            f"data.cache={cache}", f"data.max_length={max_length}", f"batch.size={rows * len(TASKS)}", "optim.lr=1e-5",
            "fabric.accelerator=cpu", "fabric.precision=32-true", "diagnostics.every=null",
        ]  # fmt: skip
        self.config, builders = self.bound(PLAIN)
        torch.manual_seed(seed)
        self.backbone = builders.backbone.build()
        opener = Rows(self.config.data, self.backbone)
        self.sets = {name: opener.open(bound.task, "train")[0] for name, bound in builders.tasks.items()}
        self.rows = {name: limited(encoded.units_N > 0, None) for name, encoded in self.sets.items()}
        self.kinds = {
            n: b.task.kind.fitted(chosen(self.sets[n].targets, self.rows[n])) for n, b in builders.tasks.items()
        }
        self.fabric = make_fabric(self.config.fabric)
        sharing = builders.sharing.build(self.backbone, list(self.kinds))
        self.model = MultiTaskModel(sharing, {n: k.head for n, k in self.kinds.items()}, seed)
        self.model.train()
        o = self.config.optim
        rates = Rates(o.lr, o.lr, o.weight_decay, o.betas, o.eps, o.layer_decay)
        placed = [Placed(p, n, self.model.depth(n)) for n, p in self.model.trained()]
        self.optimizer = adamw(placed, self.backbone.layers, rates, iter(()))

    def bound(self, method: str, words: Sequence[str] = ()) -> tuple[Any, Any]:
        """Config and builders of `mtl train weighting=METHOD WORDS`."""
        from mtl_cli.assemble.bound import bind_all
        from mtl_cli.config.compose import compose
        from mtl_cli.config.convert import convert_or_raise
        from mtl_cli.config.schema import TrainConfig

        config = convert_or_raise(TrainConfig, compose("train", [*self._words, f"weighting={method}", *words]).values)
        return config, bind_all(config)

    def loader(self, by_task: bool) -> Any:
        """The same rows in each step, for whoever asks."""
        from mtl_cli.assemble.planned import pass_limits
        from mtl_cli.data.loader import StepLoader

        batch, builders = self.config.batch, self.bound(PLAIN)[1]
        sampler = builders.sampler.build(list(self.kinds), [len(rows) for rows in self.rows.values()])
        return StepLoader(
            self.sets, self.rows, sampler, size=batch.size, window=1, seed=self.seed,
            passes=pass_limits(batch, by_task=by_task, flat=self.backbone.flat),
        )  # fmt: skip


class NoRecorder:
    """Stands where the run folder's recorder stands."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


class Ours:
    """A run of ours.

    Args:
        bench: what it shares with the others.
        method: its weighting.
        stores: where task gradients are kept; for all methods of one choice of parameters the same place.
        words: options of the weighting.
    """

    def __init__(self, bench: Bench, method: str, stores: dict[Any, Any], words: Sequence[str] = ()) -> None:
        from mtl_cli.train.loop import Loop, Settings, Stop
        from mtl_cli.train.select import Selector
        from mtl_cli.train.step.passes import Passes
        from mtl_cli.train.step.standard import StandardStepper

        config, builders = bench.bound(method, words)
        names, o = list(bench.kinds), config.optim
        self.weighting = builders.weighting.build(names, lambda step: [1.0] * len(names))
        self._bench, self._own = bench, list(self.weighting.parameters())
        stepper = StandardStepper(
            model=bench.model, losses=bench.kinds, weighting=self.weighting, optimizer=bench.optimizer,
            schedule=builders.schedule.build(10**6), loader=bench.loader(self.weighting.one_task_passes), clip_norm=o.clip_norm,
            diagnostics=None, fabric=bench.fabric, stores=stores,
        )  # fmt: skip
        self._loop = Loop(
            model=bench.model, kinds=bench.kinds, stepper=stepper, evaluate=list, selector=Selector("mean", None, 0.0),
            recorder=NoRecorder(), fabric=bench.fabric, stop=Stop(),
            settings=Settings(10**6, 10**6, config.train.log_every, 10**6, None, o.bad_step),
        )  # fmt: skip
        self._weigh = Watched(self.weighting, "weigh")
        self._gradients = Watched(Passes, "task_gradients")
        self._spent = 0.0

    def step(self) -> None:
        """The loop's own; a method's own parameters join the optimiser for its steps alone."""
        if self._own:
            self._bench.optimizer.param_groups[-1]["params"].extend(self._own)
        with self._weigh, self._gradients:
            self._loop._one_step()
        if self._own:
            del self._bench.optimizer.param_groups[-1]["params"][-len(self._own) :]
        if self._gradients.calls:
            self._spent += self._weigh.seconds - self._gradients.seconds
        self._weigh.clear()
        self._gradients.clear()

    def aggregation(self) -> float:
        """See `Side.aggregation`."""
        spent, self._spent = self._spent, 0.0
        return spent


class Watched:
    """CPU seconds inside one method of an object or class, while it is entered."""

    def __init__(self, owner: Any, method: str) -> None:
        self._owner, self._method = owner, method
        self.clear()

    def clear(self) -> None:
        """Count from 0."""
        self.seconds, self.calls = 0.0, 0

    def __enter__(self) -> None:
        self._inner = inner = getattr(self._owner, self._method)
        self._was_own = self._method in vars(self._owner)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            try:
                return inner(*args, **kwargs)
            finally:
                self.seconds += time.process_time() - began
                self.calls += 1

        setattr(self._owner, self._method, timed)

    def __exit__(self, *_: object) -> None:
        if self._was_own:
            setattr(self._owner, self._method, self._inner)
        else:
            delattr(self._owner, self._method)


# --- theirs -----------------------------------------------------------------------------------------------------------


class Peers:
    """What the libraries' sides share: a model with a plain embedding table, and its optimiser."""

    def __init__(self, bench: Bench) -> None:
        import torch
        from torch import nn

        from mtl_cli.model.multitask import MultiTaskModel
        from mtl_cli.optim.groups import Placed, Rates, adamw

        self.bench = bench
        builders = bench.bound(PLAIN)[1]
        backbone = builders.backbone.build()
        table = backbone.encoder.get_input_embeddings()
        backbone.encoder.set_input_embeddings(
            nn.Embedding.from_pretrained(table.weight.detach().clone(), freeze=False, padding_idx=table.padding_idx)
        )
        sharing = builders.sharing.build(backbone, list(bench.kinds))
        self.model = MultiTaskModel(sharing, {n: k.head for n, k in bench.kinds.items()}, bench.seed)
        self.model.train()
        self.shared = list(self.model.sharing.shared_parameters())
        self.width = sum(p.numel() for p in self.shared)
        o = bench.config.optim
        rates = Rates(o.lr, o.lr, o.weight_decay, o.betas, o.eps, o.layer_decay)
        placed = [Placed(p, n, self.model.depth(n)) for n, p in self.model.trained()]
        self.optimizer = adamw(placed, backbone.layers, rates, iter(()))
        self.rows = torch.zeros(len(bench.kinds), self.width)

    def forward(self, batch: Any) -> tuple[list[Any], list[Any]]:
        """Losses and features of each task's batch, in the tasks' order: one forward pass a task."""
        from mtl_cli.tasks.columns import Column

        losses, features = [], []
        for one in batch.passes:
            (part,) = one.parts
            pooled = self.model.sharing.features(one).pooled_BD
            features.append(pooled)
            losses.append(
                self.bench.kinds[part.task].loss(Column(self.model.head(part.task)(pooled)), part.targets).mean()
            )
        return losses, features

    def finish(self) -> None:
        """Clip and move."""
        import torch

        parameters = [p for p in self.model.parameters() if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(parameters, self.bench.config.optim.clip_norm, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


class Peer:
    """A side of another library.

    Args:
        peers: what it shares with the others.
        backward: losses and features -> seconds of aggregation; leaves a gradient in every `.grad`.
    """

    def __init__(self, peers: Peers, backward: Callable[[list[Any], list[Any]], float]) -> None:
        from dataclasses import replace

        self._peers, self._backward, self._at, self._spent = peers, backward, 0, 0.0
        self._loader = peers.bench.loader(by_task=True)
        # One pass a task: what the libraries' loops feed.
        self._loader._passes = replace(self._loader._passes, pass_cost=10**9)

    def step(self) -> None:
        """Draw, forward, backward, aggregate, clip, move."""
        losses, features = self._peers.forward(self._loader.step(self._at))
        self._at += 1
        self._spent += self._backward(losses, features)
        self._peers.finish()

    def aggregation(self) -> float:
        """See `Side.aggregation`."""
        spent, self._spent = self._spent, 0.0
        return spent


def torchjd(peers: Peers, aggregator: Any) -> Callable[[list[Any], list[Any]], float]:
    """`mtl_backward`, then `jac_to_grad`."""
    from torchjd.autojac import jac_to_grad, mtl_backward

    def backward(losses: list[Any], features: list[Any]) -> float:
        heads = [list(peers.model.head(name).parameters()) for name in peers.bench.kinds]
        mtl_backward(losses, features=features, tasks_params=heads, shared_params=peers.shared)
        began = time.process_time()
        jac_to_grad(peers.shared, aggregator)
        return time.process_time() - began

    return backward


def libmtl(peers: Peers, method: Callable[[Any], Any]) -> Callable[[list[Any], list[Any]], float]:
    """`_compute_grad` in mode `backward`, a method on the rows, `_reset_grad`."""

    def backward(losses: list[Any], features: list[Any]) -> float:
        import torch

        for k, loss in enumerate(losses):
            loss.backward(retain_graph=k + 1 != len(losses))
            flat = torch.cat([p.grad.flatten() for p in peers.shared])
            peers.rows[k] = flat
            for p in peers.shared:
                p.grad.zero_()
        began = time.process_time()
        direction = method(peers.rows)
        at = 0
        for p in peers.shared:
            p.grad.copy_(direction[at : at + p.numel()].view_as(p))
            at += p.numel()
        return time.process_time() - began

    return backward


def libmtl_pcgrad(rows_KN: Any) -> Any:
    """Yu et al. 2020, algorithm 1, on copies of the rows."""
    import numpy as np

    changed = rows_KN.clone()
    for i in range(len(rows_KN)):
        order = list(range(len(rows_KN)))
        np.random.default_rng(i).shuffle(order)
        for j in order:
            product = changed[i].dot(rows_KN[j])
            if product < 0:
                changed[i] -= product * rows_KN[j] / (rows_KN[j].norm().pow(2) + 1e-8)
    return changed.sum(0)


def libmtl_mgda(rows_KN: Any) -> Any:
    """The shortest vector of the convex hull by Frank-Wolfe on the matrix of products, as Sener & Koltun 2018, algorithm 2."""
    import torch

    products = rows_KN @ rows_KN.T
    weights = torch.full((len(rows_KN),), 1 / len(rows_KN))
    for _ in range(250):
        slope = products @ weights
        best = int(slope.argmin())
        along = weights.clone().neg_()
        along[best] += 1
        curvature = float(along @ products @ along)
        length = min(1.0, max(0.0, -float(along @ slope) / curvature)) if curvature > 0 else 0.0
        if length < 1e-5:
            break
        weights = weights + length * along
    return (weights[:, None] * rows_KN).sum(0)


def peer(name: str, peers: Peers) -> Peer:
    """A side by its name in `PEERS`."""
    from torchjd.aggregation import PCGrad, UPGrad

    made: dict[str, Callable[[], Any]] = {
        "mtl_backward pcgrad": lambda: torchjd(peers, PCGrad()),
        "mtl_backward upgrad": lambda: torchjd(peers, UPGrad()),
        "libmtl sum": lambda: libmtl(peers, lambda rows: rows.sum(0)),
        "libmtl pcgrad": lambda: libmtl(peers, libmtl_pcgrad),
        "libmtl mgda": lambda: libmtl(peers, libmtl_mgda),
    }
    return Peer(peers, made[name]())


# --- the run ----------------------------------------------------------------------------------------------------------


@dataclass
class Found:
    """Turns of one side, each beside one of plain."""

    seconds: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    aggregation: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Pair by pair."""
        return [a / b for a, b in zip(self.seconds, self.plain, strict=True)]


def turn(side: Side, seed: int, steps: int) -> float:
    """CPU seconds of some steps."""
    import torch

    torch.manual_seed(seed)
    began = time.process_time()
    for _ in range(steps):
        side.step()
    return time.process_time() - began


def measure(bench: Bench, args: argparse.Namespace) -> dict[str, Found]:
    """Let the sides take turns with plain. Each has a plain of its own, so that both meet the same rows."""
    stores: dict[Any, Any] = {}
    sides: dict[str, Side] = {name: Ours(bench, name, stores) for name in args.methods}
    if args.peers:
        peers = Peers(bench)
        sides |= {name: peer(name, peers) for name in args.peers}
    pairs = {name: (Ours(bench, PLAIN, {}), side) for name, side in sides.items()}
    found = {name: Found() for name in pairs}
    for number in range(-1, args.rounds):
        for name, (plain, side) in pairs.items():
            gc.collect()
            both = [(plain, found[name].plain), (side, found[name].seconds)]
            # Neither always follows the other.
            for one, times in both if number % 2 else reversed(both):
                seconds = turn(one, args.seed + number, args.steps) / args.steps
                if number >= 0:
                    times.append(seconds)
            spent = side.aggregation() / args.steps
            if number >= 0:
                found[name].aggregation.append(spent)
                print(f"{number + 1} {name}: {found[name].ratios[-1]:.2f}", file=sys.stderr, flush=True)
    return found


def report(found: Mapping[str, Found], rows: int) -> bool:
    """Print the table; whether every limit is met."""
    good = True
    print(f"\n{len(TASKS)} x {rows} rows")
    print(f"{'':20}  {'ms a step':>9}  {'plain':>9}  {'aggregation':>11}  {'/ plain':>16}  limit")
    for name, one in found.items():
        most = limit(name, rows)
        met = most is None or statistics.median(one.ratios) <= most
        good = good and met
        verdict = "" if most is None else f"  {most:4.2f}  {'yes' if met else 'NO'}"
        ms = [statistics.median(listed) * 1e3 for listed in (one.seconds, one.plain, one.aggregation)]
        print(f"{name:20}  {ms[0]:9.0f}  {ms[1]:9.0f}  {ms[2]:11.1f}  {ranged(one.ratios):>16}{verdict}", flush=True)
    return good


def memory(args: argparse.Namespace) -> bool:
    """Print what task gradients add to the peak; whether it is no more than their rows."""
    used: dict[str, list[Used]] = {}
    for number in range(args.rounds):
        for name, _ in MEMORY:
            words = [sys.executable, __file__, "--data-root", str(args.data_root), "--max-length", str(args.max_length)]
            words += ["--seed", str(args.seed + number), "--rows", str(max(args.rows)), "--child", name]
            used.setdefault(name, []).append(run(words, {"OMP_NUM_THREADS": "1"}))
    width = chosen_width(args)
    plain = [one.peak_mib for one in used["plain"]]
    print(f"\nmemory, {len(TASKS)} x {max(args.rows)} rows; m = {len(TASKS)}, N = {width:,}; MiB")
    print(f"{'':20}  {'peak':>22}  {'above plain':>20}  m rows")
    good = True
    for name, size in MEMORY:
        peaks = [one.peak_mib for one in used[name]]
        above = [a - b for a, b in zip(peaks, plain, strict=True)]
        most = len(TASKS) * width * size / 2**20
        met = statistics.median(above) <= most
        good = good and met
        print(f"{name:20}  {ranged(peaks, 0):>22}  {ranged(above, 0):>20}  {most:6.0f}  {'yes' if met else 'NO'}")
    return good


def chosen_width(args: argparse.Namespace) -> int:
    """N of `params: all`."""
    with tempfile.TemporaryDirectory() as cache:
        bench = Bench(args.data_root, cache, 8, args.max_length, args.seed)
    return sum(p.numel() for _, p in bench.model.choose("all"))


def child(args: argparse.Namespace, cache: str) -> None:
    """Three steps of one case of `MEMORY`."""
    method, _, dtype = args.child.partition(" ")
    words = [f"weighting.rows={dtype}"] if dtype else []
    bench = Bench(args.data_root, cache, args.rows[0], args.max_length, args.seed)
    turn(Ours(bench, method if dtype else PLAIN, {}, words), args.seed, 3)


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def names(text: str) -> list[str]:
    """Several names with commas between them; none of an empty text."""
    return [name for name in text.split(",") if name]


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--data-root", type=Path, required=True, help="folder with sst2, mrpc, rte and sick, each with train.jsonl")
    add("--methods", type=names, default=list(METHODS), help="NAME[,NAME...]: weightings of ours")
    add("--peers", type=names, default=list(PEERS), help=f"which of {', '.join(PEERS)}; '' for none")
    add("--rows", type=lambda t: [int(n) for n in t.split(",")], default=[8, 32], help="N[,N...]: rows a task and step")
    add("--max-length", type=int, default=128, help="tokens a row")
    add("--rounds", type=int, default=5, help="counted turns of each pair")
    add("--steps", type=int, default=1, help="optimiser steps a turn")
    add("--seed", type=int, default=1, help="of rows, dropout and heads")
    add("--memory", action="store_true", help="compare peak memory instead of time")
    add("--no-check", action="store_true", help="exit with 0 whatever is found")
    add("--child", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    unknown = [name for name in args.peers if name not in PEERS]
    if unknown:
        parser.error(f"--peers: {', '.join(unknown)} is none of {', '.join(PEERS)}")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    args = parsed(argv)
    if args.memory:
        # Before torch is imported here: what this process has resident is a floor of the child's peak.
        good = memory(args)
        return 0 if good or args.no_check else 1
    from mtl_cli.cli.common import quiet_libraries

    quiet_libraries()
    logging.getLogger("mtl_cli").setLevel(logging.ERROR)
    good = True
    with tempfile.TemporaryDirectory() as cache, one_thread():
        if args.child:
            child(args, cache)
            return 0
        print(f"one thread, CPU time; {args.rounds} pairs of {args.steps} steps each")
        for rows in args.rows:
            bench = Bench(args.data_root, cache, rows, args.max_length, args.seed)
            good = report(measure(bench, args), rows) and good
    return 0 if good or args.no_check else 1


if __name__ == "__main__":
    sys.exit(main())
