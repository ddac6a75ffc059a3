"""Every weighting on SST-2 + MRPC + RTE + SICK-E, beside single-task runs of the same rows: one Markdown table.

    python tests/benchmarks/table_weightings.py --data-root DIR --out FOLDER --jobs 2

Each run takes the same number of steps with the same number of rows a task; a single-task run has those of its task alone. Finished
runs in FOLDER are used again, so a killed table goes on. The time is CPU time of the training steps.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_cli.config.registry import FAMILIES

TASKS = ("sst2", "mrpc", "rte", "sick_e")
SEEDED = ("sum", "uncertainty", "famo", "pcgrad", "upgrad", "gradnorm")
"""Methods that are run with every seed."""
NEEDS = {"dtp": ["eval.every=50"]}
"""What a method asks for beside its name."""
MAIN = "from mtl_cli.cli.app import main; main()"


@dataclass(frozen=True)
class Job:
    """One run."""

    name: str
    words: tuple[str, ...]


def jobs(arguments: argparse.Namespace) -> list[Job]:
    """Single-task runs first, then the seeded methods, then the others once."""
    common = [
        f"data.root={arguments.data_root}", "data.source=local", f"data.max_length={arguments.max_length}",
        f"train.steps={arguments.steps}", f"optim.lr={arguments.lr}", f"optim.freeze={arguments.freeze}",
        "diagnostics.every=null", "train.progress=none", "eval.bootstrap=0", "run.if_exists=resume",
    ]  # fmt: skip
    found = []
    for seed in range(1, arguments.seeds + 1):
        for task in TASKS:
            words = [f"task={task}", f"batch.size={arguments.rows}", "eval.every=end", f"seed={seed}", *common]
            found.append(Job(f"single/{task}_{seed}", tuple(words)))
    several = [f"task=[{','.join(TASKS)}]", "sampler=all_tasks", f"batch.size={arguments.rows * len(TASKS)}"]
    names = arguments.methods or sorted(FAMILIES["weighting"], key=lambda n: n not in SEEDED)
    for name in names:
        for seed in range(1, (arguments.seeds if name in SEEDED else 1) + 1):
            own = NEEDS.get(name, ["eval.every=end"])
            found.append(Job(f"{name}/{seed}", (*several, f"weighting={name}", f"seed={seed}", *own, *common)))
    return found


def run(job: Job, out: Path) -> dict[str, Any] | None:
    """A run's summary; None if it failed."""
    path = out / job.name
    if not (path / "summary.json").is_file():
        words = [sys.executable, "-c", MAIN, "train", *job.words, f"run.name={job.name}", "-q"]
        environment = {**os.environ, "MTL_OUTPUTS": str(out), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        print(f"{job.name}: {'done' if not done.returncode else done.stderr.strip()[-300:]}", file=sys.stderr)
        if done.returncode:
            return None
    summary: dict[str, Any] = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    return summary


def score(summary: dict[str, Any], task: str) -> float:
    """Per cent."""
    return 100 * float(summary["tasks"][task]["score"])


def shown(values: list[float], sign: bool = False) -> str:
    """Mean, with the standard deviation if there are several."""
    mean = f"{statistics.mean(values):+.1f}" if sign else f"{statistics.mean(values):.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def table(found: dict[str, dict[str, Any] | None], seeds: int) -> str:
    """The Markdown."""
    singles = {
        (task, seed): score(summary, task)
        for task in TASKS
        for seed in range(1, seeds + 1)
        if (summary := found.get(f"single/{task}_{seed}"))
    }
    if len(singles) < len(TASKS) * seeds:
        sys.exit("a single-task run failed: nothing to compare with")
    rows = [f"| weighting | seeds | {' | '.join(TASKS)} | mean | to single-task | time | memory MiB |"]
    rows.append("|" + "---|" * (len(TASKS) + 6))
    every = [statistics.mean(singles[task, s] for task in TASKS) for s in range(1, seeds + 1)]
    each = [shown([singles[task, s] for s in range(1, seeds + 1)]) for task in TASKS]
    rows.append(f"| single-task runs | {seeds} | {' | '.join(each)} | {shown(every)} | | | |")
    plain = found.get("static/1")
    base = plain["training_cpu_seconds"] if plain else float("nan")
    lines = []
    for name in {job.partition("/")[0] for job in found} - {"single"}:
        runs = {int(job.rpartition("/")[2]): s for job, s in found.items() if job.startswith(f"{name}/") and s}
        if not runs:
            lines.append((float("-inf"), f"| {name} | failed |" + " |" * (len(TASKS) + 4)))
            continue
        means = [statistics.mean(score(s, t) for t in TASKS) for s in runs.values()]
        deltas = [m - every[seed - 1] for m, seed in zip(means, runs, strict=True)]
        cells = [shown([score(s, t) for s in runs.values()]) for t in TASKS]
        time = statistics.mean(s["training_cpu_seconds"] for s in runs.values()) / base
        memory = max(s["peak_memory_mib"] for s in runs.values())
        cells += [shown(means), shown(deltas, sign=True), f"{time:.2f}", f"{memory:.0f}"]
        lines.append((statistics.mean(means), f"| {name} | {len(runs)} | {' | '.join(cells)} |"))
    return "\n".join(rows + [line for _, line in sorted(lines, reverse=True)])


def main() -> None:
    """Run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path, help="folder of the runs")
    parser.add_argument("--methods", nargs="*", help="all if not given")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rows", type=int, default=4, help="rows of each task in a step")
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--freeze", default="3", help="optim.freeze: embeddings and so many layers stay as they are")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    arguments = parser.parse_args()
    arguments.data_root, out = arguments.data_root.resolve(), arguments.out.resolve()
    asked = jobs(arguments)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        summaries = list(pool.map(lambda job: run(job, out), asked))
    print(table({job.name: s for job, s in zip(asked, summaries, strict=True)}, arguments.seeds))


if __name__ == "__main__":
    main()
