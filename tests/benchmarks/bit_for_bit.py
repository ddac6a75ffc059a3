"""Whether a change of the code changed any number: the same commands under two checkouts, every figure compared.

Commands are whole processes on the tiny random encoder and the bundled samples, with one thread and fixed seeds; two cases
run at a time. Compared are metrics.jsonl, summary.json, predictions, zero-shot answers, affinities, verdicts of a series,
and each tensor of the last checkpoint: its digest, its norm and its mean.

    python tests/benchmarks/bit_for_bit.py --write before.json
    python tests/benchmarks/bit_for_bit.py --against before.json
    python tests/benchmarks/bit_for_bit.py --against-tree ../other

Exit code 1 if a figure differs or is on one side alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    "backbone=tiny", "data.source=bundled", "data.max_length=96", "batch.size=12", "eval.limit=24", "eval.bootstrap=50",
    "train.log_every=1", "train.progress=none",
)  # fmt: skip
SHORT = ("train.steps=6", "eval.every=3")
SOME = ("task=[rte,sst2,stsb]", *SHORT)
GROUPS = ("sharing=groups", "sharing.groups=[[rte,stsb],[sst2]]")
UNCOMPARED = {
    "seconds", "seconds_to_first_step", "training_seconds", "training_cpu_seconds", "peak_memory_mib", "speed", "environment",
    "path", "baselines",
}  # fmt: skip
"""Keys of clocks, memory and places; names of baselines hold a digest of their config."""
DIGEST = ":sha256"
Figures = dict[str, Any]
"""A number, a text or null by file and place in it."""


@dataclass(frozen=True)
class Side:
    """A checkout and the folder in which its commands run."""

    tree: Path
    scratch: Path

    def start(self, case: str, *words: str) -> subprocess.Popen[str]:
        """Start `mtl WORDS...` in the folder of a case."""
        folder = self.scratch / case
        folder.mkdir(exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MTL_")}
        environment |= {
            "PYTHONPATH": str(self.tree), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
            "MTL_CACHE": str(folder / "cache"),
        }  # fmt: skip
        command = [sys.executable, "-m", "mtl_cli.cli.app", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, case: str, *words: str) -> None:
        """Run a command to its end. Raises `SystemExit` with its standard error if it fails."""
        process = self.start(case, *words)
        _, err = process.communicate()
        if process.returncode:
            raise SystemExit(f"{case}: mtl {' '.join(words)}\n{err}exit code {process.returncode}")

    def train(self, case: str, *words: str) -> None:
        """Train a run of the name `one`."""
        self.run(case, "train", *TINY, *words, "run.name=one")


def trained(*words: str) -> Callable[[Side, str], None]:
    """A case that is one run of `mtl train`."""
    return lambda side, case: side.train(case, *words)


def over_a_run(side: Side, case: str) -> None:
    """What is asked of a finished run: scores of another split, zero-shot answers by its encoder, affinity."""
    side.train(case, *SOME)
    run = "run=outputs/one"
    side.run(case, "eval", run, "checkpoint=last", "split=train", "bootstrap=50", "name=one")
    side.run(case, "zeroshot", run, "method=embed", "task=sst2", "data.source=bundled", "out.name=answers")
    side.run(case, "affinity", run, "steps=2", "name=one")
    grouped = ("--config-dir", "outputs/one/affinity/one/configs", "sharing=affinity")
    side.run(case, "train", *grouped, *TINY, *SOME, "run.name=grouped")


def packed(side: Side, case: str) -> None:
    """A packed task of label matching, and zero-shot answers by its head."""
    side.train(case, "task=match_sst2", *SHORT)
    words = ("run=outputs/one", "method=nli", "task=sst2", "data.source=bundled", "out.name=answers")
    side.run(case, "zeroshot", *words)


def resumed(side: Side, case: str) -> None:
    """A run that is killed behind its second checkpoint and resumed."""
    words = ("task=[rte,sst2,stsb]", "train.steps=12", "eval.every=6", "checkpoint.every=2", "batch.window=4")
    process = side.start(case, "train", *TINY, *words, "run.name=one")
    while process.poll() is None and not (side.scratch / case / "outputs/one/checkpoints/step_000004").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    side.train(case, *words, "run.if_exists=resume")


CASES: Mapping[str, Callable[[Side, str], None]] = {
    "over_a_run": over_a_run,
    "series": trained("task=[rte,sst2]", "train.steps=3", "eval.every=end", "seeds=[1,2]", "baselines=true"),
    "resumed": resumed,
    "packed": packed,
    "glue_mix": trained("task=glue_mix", *SHORT),
    "pcgrad": trained(*SOME, "weighting=pcgrad", "sampler=all_tasks"),
    "uncertainty": trained(*SOME, "weighting=uncertainty"),
    "famo": trained(*SOME, "weighting=famo", "sampler=all_tasks"),
    "gradnorm": trained(*SOME, "weighting=gradnorm"),
    "branches": trained(*SOME, *GROUPS, "sharing.branch_at=1"),
    "encoders": trained(*SOME, *GROUPS, "sharing.branch_at=0"),
}


def leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Single values of a JSON document, with their place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in UNCOMPARED:
                yield from leaves(inner, f"{place}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{place}/{number}")
    else:
        yield place, value


def of_weights(path: Path, place: str) -> Iterator[tuple[str, Any]]:
    """Digest, norm and mean of each tensor of a file."""
    for name, tensor in load_file(path).items():
        exact = tensor.astype(np.float64)
        yield f"{place}/{name}{DIGEST}", hashlib.sha256(tensor.tobytes()).hexdigest()
        yield f"{place}/{name}:norm", float(np.linalg.norm(exact))
        yield f"{place}/{name}:mean", float(exact.mean())


def figures(outputs: Path) -> Figures:
    """All that the runs of a folder wrote and that another checkout must write too."""
    found: Figures = {}
    for path in sorted(outputs.rglob("*.json*")):
        place = path.relative_to(outputs)
        if place.parts[0] == "baselines" or "checkpoints" in place.parts or path.name == "env.json":
            continue
        if path.suffix == ".jsonl":
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
                found |= leaves(json.loads(line), f"{place}:{number}")
        else:
            found |= leaves(json.loads(path.read_text(encoding="utf-8")), str(place))
    for last in sorted(outputs.rglob("checkpoints/last")):
        for path in (last / "encoder/model.safetensors", last / "heads.safetensors"):
            found |= of_weights(path, str(path.relative_to(outputs)))
    return found


def collect(tree: Path, cases: Sequence[str]) -> dict[str, Figures]:
    """Figures of some cases under a checkout. Raises `SystemExit` if a command fails."""

    def one(case: str) -> Figures:
        began = time.perf_counter()
        CASES[case](side, case)
        found = figures(side.scratch / case / "outputs")
        print(f"{case:12} {len(found):6} figures  {time.perf_counter() - began:5.1f} s", file=sys.stderr, flush=True)
        return found

    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        side = Side(tree.resolve(), Path(scratch))
        return dict(zip(cases, pool.map(one, cases), strict=True))


@dataclass(frozen=True)
class Difference:
    """A figure that is not the same on both sides."""

    place: str
    before: Any
    after: Any
    relative: float
    """|a - b| / max(|a|, |b|); infinite where one of them is no number, or is missing."""


def places(before: Figures, after: Figures, args: argparse.Namespace) -> list[str]:
    """Places of the figures to compare; with a tolerance, digests are left out."""
    every = sorted(before.keys() | after.keys())
    kept = [place for place in every if not (args.tolerance and place.endswith(DIGEST))]
    return [place for place in kept if not (args.ignore and args.ignore.search(place))]


def compare(before: Figures, after: Figures, where: Sequence[str], tolerance: float) -> list[Difference]:
    """Figures that differ by more than a relative tolerance."""
    found = []
    for place in where:
        old, new = before.get(place, "(missing)"), after.get(place, "(missing)")
        far = apart(old, new)
        if far > tolerance:
            found.append(Difference(place, old, new, far))
    return found


def apart(old: Any, new: Any) -> float:
    """Relative difference of two figures."""
    if old == new:
        return 0.0
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in (old, new)):
        return math.inf
    return abs(old - new) / max(abs(old), abs(new))


def report(before: Mapping[str, Figures], after: Mapping[str, Figures], args: argparse.Namespace) -> bool:
    """Print a line for each case and the first differences; return whether there are none."""
    print(f"{'case':12} {'compared':>9} {'differing':>9}  largest relative difference")
    same = True
    for case, figures_after in after.items():
        if case not in before:
            print(f"{case:12} is not in what is compared against")
            same = False
            continue
        where = places(before[case], figures_after, args)
        different = compare(before[case], figures_after, where, args.tolerance)
        largest = max((d.relative for d in different), default=0.0)
        print(f"{case:12} {len(where):9} {len(different):9}  {largest:.3g}")
        for difference in different[: args.show]:
            print(f"    {difference.place}: {difference.before} -> {difference.after}")
        same &= not different
    return same


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--tree", type=Path, default=ROOT, help="checkout whose code runs; default: this one")
    add("--write", type=Path, metavar="FILE", help="store the figures")
    add("--against", type=Path, metavar="FILE", help="compare with stored figures")
    add("--against-tree", type=Path, metavar="DIR", help="compare with another checkout, which is run first")
    add("--cases", default=",".join(CASES), metavar="A,B", help=f"some of {', '.join(CASES)}")
    add("--tolerance", type=float, default=0.0, metavar="R", help="relative difference that counts as none")
    add("--ignore", type=re.compile, metavar="REGEX", help="places of figures that are not compared")
    add("--show", type=int, default=5, metavar="N", help="differences to print of each case")
    args = parser.parse_args(argv)
    args.cases = args.cases.split(",")
    if unknown := [case for case in args.cases if case not in CASES]:
        parser.error(f"unknown case {unknown[0]!r}; available: {', '.join(CASES)}")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the cases, store their figures, compare them."""
    args = parsed(argv)
    before = None
    if args.against:
        before = json.loads(args.against.read_text(encoding="utf-8"))
    elif args.against_tree:
        before = collect(args.against_tree, args.cases)
    after = collect(args.tree, args.cases)
    if args.write:
        args.write.write_text(json.dumps(after, indent=1) + "\n", encoding="utf-8")
    return 0 if before is None or report(before, after, args) else 1


if __name__ == "__main__":
    sys.exit(main())
