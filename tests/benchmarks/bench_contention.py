"""What a training run keeps of its speed when a second one trains on the same cores, and what our settings cost it alone.

Sides, each of one process and of two at once:
    torch: as torch trains by itself: a thread for each core, idle ones spin as long as libgomp has them by default.
    spins: a thread for each core, idle ones sleep soon (`mtl_cli.threads.SPINS`), by `fabric.threads`.
    ours: `mtl train` without a word on threads: idle ones sleep soon, and their number follows the load at the start.
    one: `fabric.threads=1`.

What makes the numbers fair:
    - Speed is rows a second of the steps alone, the median of intervals of two steps without the first and the last: the
      second process is at work too, then. Two at once start together, and the slower of them counts.
    - Ratios are taken inside a round, to `torch` alone. The sides follow one another in a round.
    - `others` is how many cores programs that are not ours kept busy meanwhile. A side that met more than 0.3 is measured again,
      at most twice; if it still does, there is no verdict.

Exit code 1 if two at once keep less than 0.4 each, or one alone less than 0.95, or there is no verdict; `--no-check` only reports.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from child import MTL, ranged, run

from mtl_cli.threads import cores, sample

LEAST_OF_TWO, LEAST_ALONE, MOST_OTHERS = 0.4, 0.95, 0.3
SPINS_OF_LIBGOMP = "300000"


@dataclass(frozen=True)
class Side:
    """One way to train."""

    words: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Speed:
    """What was measured."""

    rows: float
    """A second, of the slowest process."""
    others: float
    """Cores that other programs kept busy."""


def sides(spins: str | None) -> dict[str, Side]:
    """All of them; `spins` in place of our own number."""
    ours = {"GOMP_SPINCOUNT": spins} if spins else {}
    return {
        "torch": Side((f"fabric.threads={cores()}",), {"GOMP_SPINCOUNT": SPINS_OF_LIBGOMP}),
        "spins": Side((f"fabric.threads={cores()}",), ours),
        "ours": Side((), ours),
        "one": Side(("fabric.threads=1",), ours),
    }


def speed(words: Sequence[str], side: Side, processes: int, scratch: Path) -> Speed:
    """Train in some processes at once."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder, ThreadPoolExecutor(processes) as pool:
        before = sample()
        calls = [
            pool.submit(
                run, [*words, *side.words, f"run.outputs={folder}", f"run.name={i}"], {"HF_HUB_OFFLINE": "1", **side.environment}
            )
            for i in range(processes)
        ]  # fmt: skip
        used = sum(call.result().cpu for call in calls)
        after = sample()
        rows = min(steady(Path(folder) / str(i) / "metrics.jsonl") for i in range(processes))
    others = float("nan")
    if before is not None and after is not None:
        others = max(0.0, after.others_since(before) - used / (after.wall - before.wall))
    return Speed(rows, others)


def steady(metrics: Path) -> float:
    """Rows a second, once a run is under way."""
    records = [json.loads(line) for line in metrics.read_text().splitlines()]
    found = [one["speed"]["examples_per_second"] for one in records if one["event"] == "train"]
    return statistics.median(found[1:-1])


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--rounds", type=int, default=1, help="rounds")
    add("--steps", type=int, default=16, help="optimiser steps, of 16 rows each")
    add("--backbone", default="minilm", help="backbone=NAME of all sides")
    add("--sides", default="torch,spins,ours,one", help="some of the sides; torch is always one")
    add("--spins", help="another number of spins in place of ours")
    add("--no-check", action="store_true", help="exit with 0 whatever the ratios are")
    return parser.parse_args(argv)


def quiet(words: Sequence[str], side: Side, processes: int, scratch: Path) -> Speed:
    """The speed, measured again while other programs run; what they left least disturbed if they do not stop."""
    found: list[Speed] = []
    while len(found) < 3 and not (found and found[-1].others <= MOST_OTHERS):
        found.append(speed(words, side, processes, scratch))
    return min(found, key=lambda one: one.others)


def measured(args: argparse.Namespace, chosen: Mapping[str, Side], scratch: Path) -> dict[tuple[str, int], list[Speed]]:
    """Speeds by side and processes, each round by round; printed as they come."""
    words = [
        MTL, "train", f"backbone={args.backbone}", "task=[sst2,mrpc]", "data.source=bundled", f"data.cache={scratch}/cache",
        "data.max_length=64", "batch.size=16", "train.progress=none", "train.log_every=2", "eval.every=end", "eval.limit=16",
        "fabric.accelerator=cpu",
    ]  # fmt: skip
    run([*words, "train.steps=1", f"run.outputs={scratch}", "run.name=warm"], {"HF_HUB_OFFLINE": "1"})
    speeds: dict[tuple[str, int], list[Speed]] = {(name, count): [] for count in (1, 2) for name in chosen}
    print("round  side   at once  rows/s each  others  of torch alone", flush=True)
    for number in range(args.rounds):
        for (name, count), found in speeds.items():
            one = quiet([*words, f"train.steps={args.steps}"], chosen[name], count, scratch)
            found.append(one)
            ratio = one.rows / speeds["torch", 1][number].rows
            print(
                f"{number + 1:5}  {name:5}  {count:7}  {one.rows:11.1f}  {one.others:6.2f}  {ratio:14.2f}", flush=True
            )
    return speeds


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    args = parsed(argv)
    variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    if any(name in os.environ for name in variables):
        sys.exit(f"{', '.join(variables)} must not be set: the sides differ in them")
    names = ["torch", *args.sides.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        chosen = {name: side for name, side in sides(args.spins).items() if name in names}
        speeds = measured(args, chosen, Path(folder))
    good = True
    for (name, count), found in speeds.items():
        ratios = [one.rows / alone.rows for one, alone in zip(found, speeds["torch", 1], strict=True)]
        print(f"{name}, {count} at once, of torch alone: {ranged(ratios)}")
        if name in ("spins", "ours"):
            good &= statistics.median(ratios) >= (LEAST_ALONE if count == 1 else LEAST_OF_TWO)
    if not all(one.others <= MOST_OTHERS for found in speeds.values() for one in found):
        print("other programs kept cores busy: no verdict")
        good = False
    else:
        print(f"at least {LEAST_ALONE} alone and {LEAST_OF_TWO} each of two: {'yes' if good else 'NO'}")
    return 0 if good or args.no_check else 1


if __name__ == "__main__":
    sys.exit(main())
