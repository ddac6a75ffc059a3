"""What a sweep of 12 points costs beside its 12 training loops and one start-up, in CPU seconds.

Sides:
    sweep: `mtl train -m seed=1,...,12` in one process, from process start to its end: imports, composing and checking 12
        points, and for each point opening rows, loading the encoder, the loop, the final scores with predictions; the table.
    loops: the 12 calls of `Loop.run` (steps, evaluation, checkpoint) inside that very process, by its CPU clock; the driver
        below notes where each begins and ends.
    start-up: `mtl train` of the first point alone, in a process of its own, from process start to where `Loop.run` begins:
        imports, composing once, opening rows, loading the encoder.

What makes the numbers fair:
    - Ratio = sweep / (loops + start-up), inside a round. What is done again for points 2 to 12, and all that comes after the
      loops, counts against the sweep. CPU time of the process, one thread: what other programs disturb least.
    - A run of one step comes first and does not count: the encoded rows are in the cache and the files in memory then. The
      start-up side trains one step too, which is behind its mark.
    - minilm on the bundled rows, and a loop of some 10 CPU seconds. That is short: a longer loop only lowers the ratio.

Exit code 1 if the median ratio is above 1.05; `--no-check` only reports.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from child import ranged, run, verdict

MOST = 1.05
DRIVER = """
import json, sys, time
from pathlib import Path
from mtl_cli.cli import app
from mtl_cli.train import loop
spans = []
whole = loop.Loop.run
def noted(self):
    began = time.process_time()
    spans.append([began, began])
    try:
        return whole(self)
    finally:
        spans[-1][1] = time.process_time()
loop.Loop.run = noted
target = Path(sys.argv.pop(1))
try:
    app.main()
finally:
    target.write_text(json.dumps({"spans": spans, "end": time.process_time()}))
"""


def measured(words: Sequence[str], scratch: Path) -> tuple[list[tuple[float, float]], float]:
    """Run the command; returns begin and end of each loop, and the end of the process, in CPU seconds."""
    noted = scratch / "noted.json"
    run([sys.executable, "-c", DRIVER, str(noted), *words], {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"})
    found = json.loads(noted.read_text())
    return [(a, b) for a, b in found["spans"]], found["end"]


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--points", type=int, default=12, help="points of the sweep")
    add("--steps", type=int, default=12, help="optimiser steps of a point, of 16 rows each")
    add("--rounds", type=int, default=1, help="rounds")
    add("--backbone", default="minilm", help="backbone=NAME of both sides")
    add("--task", default="[sst2,mrpc]", help="task=NAME of both sides")
    add("--no-check", action="store_true", help="exit with 0 whatever the ratio is")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    args = parsed(argv)
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        words = [
            "train", f"backbone={args.backbone}", f"task={args.task}", "data.source=bundled", f"data.cache={scratch}/cache",
            "data.max_length=64", "batch.size=16", "train.progress=none", "eval.every=end", "fabric.accelerator=cpu",
            f"run.outputs={scratch}/outputs",
        ]  # fmt: skip
        measured([*words, "train.steps=1", "run.name=warm"], scratch)
        seeds = ",".join(str(i + 1) for i in range(args.points))
        for number in range(args.rounds):
            began = time.perf_counter()
            single, _ = measured([*words, "train.steps=1", "seed=1", f"run.name=one{number}"], scratch)
            several = [*words, f"train.steps={args.steps}", "-m", f"seed={seeds}", f"run.name=all{number}"]
            spans, end = measured(several, scratch)
            loops, start = [b - a for a, b in spans], single[0][0]
            between = [a - b for (_, b), (a, _) in itertools.pairwise(spans)]
            if len(loops) != args.points:
                sys.exit(f"{len(loops)} loops ran instead of {args.points}")
            print(
                f"sweep {end:.1f} s = to the first loop {spans[0][0]:.1f} + loops {sum(loops):.1f} + between "
                f"{sum(between):.2f} + end {end - spans[-1][1]:.2f}; start-up alone {start:.1f} s; a loop {ranged(loops)} s, "
                f"between two {ranged(between)} s; {time.perf_counter() - began:.0f} s wall",
                flush=True,
            )
            ratios.append(end / (sum(loops) + start))
    good = verdict(f"sweep of {args.points} / ({args.points} loops + start-up)", ratios, MOST)
    return 0 if good or args.no_check else 1


if __name__ == "__main__":
    sys.exit(main())
