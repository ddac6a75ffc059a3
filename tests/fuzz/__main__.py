"""Run cases; print the classes of faults with the numbers of their cases. Exit code 1 if there are any."""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.fuzz.case import Case, Stage
from tests.fuzz.oracle import SECRET, Outcome, run, run_block

BLOCK = 50
"""Cases that share a child, of kinds that mostly run no whole command."""
TOGETHER = ("configs", "files", "labels")
KINDS = {"commands": 1, "configs": 4, "files": 2, "labels": 2, "runs": 1}
"""Each kind with its share of all cases; whole commands cost most."""


def main() -> int:
    """Parse the command line, make the shelf, run the cases."""
    options = _options()
    kinds = list(KINDS) if options.kind == "all" else [options.kind]
    with tempfile.TemporaryDirectory(prefix="mtl-fuzz-") as name:
        top = Path(name).resolve()
        _prepare(top)
        if options.only is not None:
            return _one(options.kind, options.seed, options.only, top)
        shares = {kind: options.cases * KINDS[kind] // sum(KINDS[k] for k in kinds) for kind in kinds}
        return _all(shares, options.first, options.seed, top, options.log)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=sys.modules["tests.fuzz"].__doc__)
    parser.add_argument("--kind", choices=(*KINDS, "all"), default="all")
    parser.add_argument("--cases", type=int, default=200, help="in all")
    parser.add_argument("--first", type=int, default=0, help="number of the first case of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="one case of a kind, with all that it printed")
    parser.add_argument("--log", type=Path, help="append each fault as a JSON line")
    options = parser.parse_args()
    if options.only is not None and options.kind == "all":
        parser.error("--only needs --kind")
    return options


def _prepare(top: Path) -> None:
    for name in ("shelf", "home", "cache", "case", "scratch"):
        (top / name).mkdir()
    for name in [name for name in os.environ if name.startswith(("MTL_", "COMP_", "_TYPER"))]:
        del os.environ[name]
    os.environ.update(
        HOME=str(top / "home"), MTL_CACHE=str(top / "cache"), HF_HUB_OFFLINE="1", HF_HOME=str(top / "home/hf"), OMP_NUM_THREADS="1",
        TOKENIZERS_PARALLELISM="false", FUZZ_SECRET=SECRET, OPENAI_API_KEY=SECRET, COLUMNS="120", NO_COLOR="1",
    )  # fmt: skip
    from tests.fuzz import configs, shelf

    shelf.warm()
    configs.warm()
    gc.freeze()
    shelf.fill(top / "shelf", top / "scratch")


def made(kind: str, seed: int, number: int, top: Path) -> Case:
    """A case, with its files in `top/case`."""
    folder = top / "case"
    for path in folder.iterdir():  # and not the folder itself, in which a child may stand
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    stage = Stage(random.Random(f"{kind} {seed} {number}"), folder, top / "shelf")
    return importlib.import_module(f"tests.fuzz.{kind}").case(stage)


def _run(kind: str, seed: int, number: int, top: Path) -> tuple[Case, Outcome]:
    case = made(kind, seed, number, top)
    shutil.rmtree(top / "scratch")
    (top / "scratch").mkdir()
    return case, run(case, top / "case", top / "scratch")


def _one(kind: str, seed: int, number: int, top: Path) -> int:
    case, outcome = _run(kind, seed, number, top)
    print("words", ascii(list(case.words)))
    for path in sorted(p for p in (top / "case").rglob("*") if p.is_file())[:40]:
        print("file ", path.relative_to(top / "case"), path.stat().st_size)
    print(f"code  {outcome.code}   {outcome.seconds:.1f} s\n--- stdout\n{outcome.out}--- stderr\n{outcome.err}")
    print(f"--- fault: {outcome.fault or 'none'}\n{outcome.detail}")
    return int(bool(outcome.fault))


def _together(kind: str, numbers: list[int], seed: int, top: Path) -> dict[int, Outcome]:
    """The outcomes of those cases that can share a child, and found nothing wrong there."""
    shutil.rmtree(top / "scratch")
    (top / "scratch").mkdir()
    cases = ((number, made(kind, seed, number, top)) for number in numbers)
    found = run_block(cases, top / "case", top / "scratch")
    return {number: outcome for number, outcome in found.items() if not outcome.fault}


def _outcomes(kind: str, numbers: list[int], seed: int, top: Path) -> Iterator[tuple[int, list[str], Outcome]]:
    for begin in range(0, len(numbers), BLOCK):
        block = numbers[begin : begin + BLOCK]
        done = _together(kind, block, seed, top) if kind in TOGETHER else {}
        for number in block:
            if number in done:
                yield number, [], done[number]
            else:
                case, outcome = _run(kind, seed, number, top)
                yield number, list(case.words), outcome


def _all(shares: Mapping[str, int], first: int, seed: int, top: Path, log: Path | None) -> int:
    begin = time.monotonic()
    faults: dict[str, list[str]] = defaultdict(list)
    for kind, count in shares.items():
        numbers = list(range(first, first + count))
        codes: Counter[int | None] = Counter()
        for number, words, outcome in _outcomes(kind, numbers, seed, top):
            codes[outcome.code] += 1
            if outcome.fault:
                faults[outcome.fault].append(f"{kind}/{number}")
                _note(log, {"kind": kind, "number": number, "seed": seed, "words": words, **vars(outcome)})
        counted = ", ".join(f"{times} x {code}" for code, times in sorted(codes.items(), key=str))
        print(f"{kind}: {len(numbers)} cases; exit codes: {counted}", flush=True)
    for fault, where in sorted(faults.items(), key=lambda item: -len(item[1])):
        print(f"{len(where):5d}  {ascii(fault)[1:-1]}   {' '.join(where[:4])}")
    total = sum(map(len, faults.values()))
    seconds = time.monotonic() - begin
    print(f"{sum(shares.values())} cases, seed {seed}: {total} faults of {len(faults)} classes, {seconds:.0f} s")
    return int(bool(faults))


def _note(log: Path | None, record: dict[str, object]) -> None:
    if log is not None:
        with log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    sys.exit(main())
