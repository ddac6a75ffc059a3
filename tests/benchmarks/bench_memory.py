"""Peak resident memory of `mtl train` with N rows and with ten times as many.

Turns: cold (the rows are encoded first) and warm (they are in the cache), each with N and 10 N training rows.

What makes the numbers fair:
    - Whole processes of the real command, measured by the kernel (wait4). Everything resident counts, pages of files
      that are memory-mapped too.
    - Rows are made up: words out of some thousands, each made up of syllables, so that the tokenizer has work; the
      smaller set is the beginning of the larger. Validation rows are few and the same in both.
    - Every text has more words than a row may have tokens, so every row is cut to the same length and every forward
      pass has the same shape. With rows of different length the peak is that of the pass that happens to be the
      largest, and two sets differ in it by more than their rows cost (by 80 MiB where this was tried).
    - A ratio is taken inside a round; each round has a seed.

Three steps do not show a leak over many steps. `B/row` is what the rows add to the peak, which is that of the model's
step; allocators differ by some MiB from run to run, so with few rows it may be negative.

Exit code 1 if a median ratio is above what it must be; `--no-check` only reports.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from child import MTL, Used, ranged, run, verdict

MOST = 1.1
TOKENS = 32
"""What a row has, all rows alike."""
TIMES = 10
CACHES = ("cold", "warm")
TASK = """# @package _global_
# mtl train task=made_up    Made-up words
tasks:
  made_up:
    kind: {{name: classification, labels: [a, b]}}
    text: [text]
    label: label
    metrics: [accuracy]
    source: {{files: {{train: {train}, validation: {validation}}}}}
weights: {{made_up: 1.0}}
"""


def made_up(count: int, seed: int) -> Iterator[str]:
    """Lines of JSON: a text, longer than a row may be, and a label."""
    random_ = random.Random(seed)
    syllables = [c + v for c in "bcdfghklmnprstvw" for v in "aeiou"]
    words = ["".join(random_.choices(syllables, k=random_.randint(1, 4))) for _ in range(5000)]
    for _ in range(count):
        text = " ".join(random_.choices(words, k=random_.randint(TOKENS, 2 * TOKENS)))
        yield json.dumps({"text": text, "label": random_.choice("ab")}) + "\n"


def write(path: Path, count: int, seed: int) -> Path:
    """A file of so many rows."""
    with path.open("w") as stream:
        stream.writelines(made_up(count, seed))
    return path


def configured(folder: Path, rows: int, validation: Path, seed: int) -> Path:
    """A folder of configs with the task `made_up` of so many training rows."""
    (folder / "task").mkdir(parents=True)
    train = write(folder / "train.jsonl", rows, seed)
    (folder / "task/made_up.yaml").write_text(TASK.format(train=train, validation=validation))
    return folder


def train(configs: Path, name: str, args: argparse.Namespace, seed: int) -> Used:
    """Train on the rows of a folder of configs, encoding them if that was not done before."""
    words = [
        MTL, "train", "--config-dir", str(configs), "task=made_up", "backbone=minilm", f"seed={seed}",
        f"train.steps={args.steps}", f"data.max_length={TOKENS}", f"data.cache={configs}/cache", "fabric.accelerator=cpu",
        f"run.outputs={configs}/outputs", f"run.name={name}",
    ]  # fmt: skip
    return run(words, {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"})


def turns(args: argparse.Namespace) -> dict[tuple[str, int], list[Used]]:
    """What was used, by cache and number of rows, one a round."""
    found: dict[tuple[str, int], list[Used]] = {}
    for number in range(args.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            base, seed = Path(scratch), args.seed + number
            validation = write(base / "validation.jsonl", args.validation_rows, 0)
            sizes = [args.rows, TIMES * args.rows]
            folders = {rows: configured(base / str(rows), rows, validation, seed) for rows in sizes}
            for cache in CACHES:
                for rows, configs in folders.items():
                    used = train(configs, cache, args, seed)
                    found.setdefault((cache, rows), []).append(used)
                    print(f"round {number + 1} {cache} {rows} rows: {used.peak_mib:.1f} MiB", file=sys.stderr)
    return found


def report(found: dict[tuple[str, int], list[Used]], rows: int) -> bool:
    """Print the table and whether the ratios are what they must be."""
    print(f"{'cache':5}  {'rows':>9}  {'peak MiB':>24}  {'CPU s':>6}")
    for (cache, size), used in found.items():
        seconds = statistics.median(u.cpu for u in used)
        print(f"{cache:5}  {size:9,}  {ranged([u.peak_mib for u in used], 1):>24}  {seconds:6.1f}")
    good = True
    for cache in CACHES:
        pairs = [(a.peak_mib, b.peak_mib) for a, b in zip(found[cache, TIMES * rows], found[cache, rows], strict=True)]
        bytes_a_row = [(many - few) * 2**20 / ((TIMES - 1) * rows) for many, few in pairs]
        good &= verdict(f"{cache}: {TIMES} N / N", [many / few for many, few in pairs], MOST)
        print(f"{cache}: {ranged(bytes_a_row, 0)} B/row")
    return good


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--rows", type=int, default=20_000, help="N")
    add("--validation-rows", type=int, default=200, help="in both cases")
    add("--steps", type=int, default=3, help="optimiser steps")
    add("--rounds", type=int, default=3, help="turns of each case")
    add("--seed", type=int, default=1, help="of the first round's rows and run")
    add("--no-check", action="store_true", help="exit with 0 whatever the ratios are")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    args = parsed(argv)
    good = report(turns(args), args.rows)
    return 0 if good or args.no_check else 1


if __name__ == "__main__":
    sys.exit(main())
