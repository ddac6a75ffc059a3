"""Kill a command right before each of its file events, resume it, and compare with the command that nothing stopped.

    python -m tests.kills [--command NAME]... [--every N] [--sample N --seed S] [--keep]

An event is an open for writing, a rename, an unlink, a directory made or removed, a link, a truncation, or a line appended to
a log (once before it and once in the middle of it), inside the outputs folder. Weights must be equal to the last bit, records,
predictions and summaries equal but for times, nothing may be left over, and the exit code must be 0.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

SMALL = (
    "backbone=tiny", "data.source=bundled", "data.max_length=32", "data.limit=24", "eval.limit=12", "eval.bootstrap=10",
    "train.progress=none", "optim.lr=1e-2", "batch.size=4",
)  # fmt: skip
RESUMES = "run.if_exists=resume"
TRAIN = (
    "train", *SMALL, "task=[rte,sst2]", "train.steps=6", "eval.every=2", "checkpoint.every=3", "train.log_every=2",
    "diagnostics.every=3", "run.name=x", RESUMES,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A command, and the commands whose results it needs."""

    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    streams: bool = False
    """Whether standard output carries what this process did, not what the run is."""


EVAL = ("eval", "run=outputs/x", "bootstrap=10", "name=e")
CASES = {
    "train": Case(TRAIN),
    "eval": Case((*EVAL, "checkpoint=last"), (TRAIN, (*EVAL, "checkpoint=best"))),
    "zeroshot": Case(
        ("zeroshot", "--labels", "pos=good,neg=bad", "--file", "texts.jsonl", "--out", "z", "out.if_exists=resume",
         "method=embed", "backbone=tiny", "bootstrap=10"), streams=True,
    ),
    "sweep": Case(("train", "-m", *SMALL, "task=rte", "train.steps=2", "eval.every=2", "seed=1,2", "run.name=s")),
    "search": Case(
        ("train", "-m", *SMALL, "task=rte", "train.steps=2", "eval.every=1", "batch.size=2,4", "search.trials=3",
         "search.random=2", "run.name=s"),
    ),
    "series": Case(
        ("train", *SMALL, "task=[rte,sst2]", "train.steps=2", "eval.every=2", "seeds=[1,2]", "baselines=true", "run.name=s",
         "eval.limit=null"),
    ),
    "transfer": Case(
        ("transfer", *SMALL, "task=[rte,match_sst2]", "+tasks.rte.head=entailment", "+tasks.rte.input=packed",
         "families.sentiment=[match_sst2]", "leave_out=[sentiment]", "train.steps=2", "ask.limit=6", "ask.bootstrap=10",
         "data.max_length=256",
         "run.name=mix"),
    ),
    "affinity": Case(
        ("affinity", *SMALL, "task=[rte,sst2]", "train.steps=3", "measure.every=2", "k=1", "run.name=a", RESUMES)
    ),
    "affinity of a run": Case(("affinity", "run=outputs/x", "steps=2", "k=1"), (TRAIN,)),
}  # fmt: skip

# Python's and NumPy's own generators are drawn anew in each process; torch's is among the tensors.
TIMES = {
    "speed", "seconds", "training_seconds", "training_cpu_seconds", "seconds_to_first_step", "peak_memory_mib", "environment",
    "metrics_bytes", "generators",
}  # fmt: skip
NOT_COMPARED = {"log.txt", "env.json", "study.journal"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Events:
    """Counts the file events of this process below a folder, and kills it right before one of them.

    Args:
        root: the folder.
        kill_at: number of the event, from 1; None to let the process live.
    """

    def __init__(self, root: Path, kill_at: int | None) -> None:
        self._root, self._kill_at = str(root.resolve()), kill_at
        self.seen: list[str] = []

    def hit(self, what: str, then: Callable[[], None] | None = None) -> None:
        """One event; before the kill, `then` is done."""
        self.seen.append(what)
        if len(self.seen) == self._kill_at:
            if then is not None:
                then()
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Listen from now on, to the end of the process."""
        sys.addaudithook(self._audit)
        from mtl_cli.runs.record import MetricsLog

        write = MetricsLog.write

        def counted(log: MetricsLog, record: dict[str, Any]) -> None:
            if self._inside(str(log._path), -1):
                self.hit(f"append {log._path.name}")
                self.hit(
                    f"append half a line {log._path.name}", lambda: os.pwrite(_number(log), b'{"ev', log.size) and None
                )
            write(log, record)

        MetricsLog.write = counted  # type: ignore[method-assign]

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            changed = (path, -1) if flags & WRITING and not isinstance(path, int) else None
        elif event in ("os.remove", "os.rmdir"):
            changed = (args[0], args[1])
        elif event == "os.mkdir":
            changed = (args[0], args[2])
        elif event in ("os.rename", "os.symlink", "os.link"):
            changed = (args[1], -1)
        else:
            changed = (args[0], -1) if event == "os.truncate" else None
        if changed is not None and self._inside(*changed):
            self.hit(f"{event} {changed[0]}")

    def _inside(self, path: Any, folder: int) -> bool:
        if isinstance(path, int):
            place = Path(f"/proc/self/fd/{path}").readlink()
        else:
            base = Path(f"/proc/self/fd/{folder}").readlink() if folder >= 0 else Path.cwd()
            place = base / os.fsdecode(path)
        return os.path.normpath(place).startswith(self._root + os.sep)


def _number(log: Any) -> int:
    return int(log._stream.fileno())


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    events: int


def run(folder: Path, words: tuple[str, ...], kill_at: int | None = None) -> Ended:
    """Run a command in a child of this process, which has everything imported, in a folder."""
    out, err, count = (folder.with_name(f"{folder.name}.{what}") for what in ("out", "err", "events"))
    count.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _child(folder, words, kill_at, (out, err, count))
    _, status = os.waitpid(child, 0)
    events = int(count.read_text()) if count.exists() else 0
    return Ended(os.waitstatus_to_exitcode(status), out.read_text(), err.read_text(), events)


def _child(folder: Path, words: tuple[str, ...], kill_at: int | None, files: tuple[Path, Path, Path]) -> None:
    """Never returns."""
    code = 70
    try:
        os.chdir(folder)
        for number, path in enumerate(files[:2], start=1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["mtl", *words]
        from mtl_cli.cli.app import main

        events = Events(folder / "outputs", kill_at)
        events.install()
        try:
            main()
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
        files[2].write_text(str(len(events.seen)))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def content(root: Path) -> dict[str, Any]:
    """Every file below a folder, without times."""
    return {
        str(path.relative_to(root)): _read(path) for path in sorted(root.rglob("*")) if path.name not in NOT_COMPARED
    }


def _read(path: Path) -> Any:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    if path.is_dir():
        return "folder"
    if path.name == "manifest.json":
        return {name: entry for name, entry in json.loads(path.read_text()).items() if name != "state.json"}
    if path.suffix == ".json":
        return _untimed(json.loads(path.read_text()))
    if path.suffix == ".jsonl":
        return [_untimed(json.loads(line)) for line in path.read_text().splitlines()]
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _untimed(entry) for key, entry in value.items() if key not in TIMES}
    return [_untimed(entry) for entry in value] if isinstance(value, list) else value


def differences(whole: dict[str, Any], resumed: dict[str, Any]) -> list[str]:
    """What a resumed run has otherwise."""
    return [
        f"{name}: {'missing' if name not in resumed else 'left over' if name not in whole else 'differs'}"
        for name in sorted({*whole, *resumed})
        if whole.get(name) != resumed.get(name)
    ]


class Harness:
    """One case: its folder as the commands before it leave it, and the result that nothing stopped."""

    def __init__(self, name: str, work: Path) -> None:
        self.name, self._case, self._work = name, CASES[name], work / name.replace(" ", "_")
        self._work.mkdir()
        self._start = self._work / "start"
        self._start.mkdir()
        rows = [
            {"text": f"a {'good' if i % 3 else 'bad'} film, number {i}", "label": "pos" if i % 2 else "neg"}
            for i in range(20)
        ]
        (self._start / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for words in self._case.before:
            self._succeed(self._start, words)
        whole = self._copy("whole")
        self._succeed(whole, self._case.words)  # fills the cache of encoded rows
        whole = self._copy("whole")
        self._whole = self._succeed(whole, self._case.words)
        self.events = self._whole.events
        self._content = content(whole / "outputs")

    def _copy(self, name: str) -> Path:
        folder = self._work / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._start, folder, symlinks=True)
        return folder

    def _succeed(self, folder: Path, words: tuple[str, ...]) -> Ended:
        ended = run(folder, words)
        if ended.code:
            raise SystemExit(f"{' '.join(words)} ended with {ended.code}:\n{ended.err}")
        return ended

    def kill(self, *numbers: int) -> list[str]:
        """Kill at an event, at another event of the next try and so on, then let it end; what is wrong."""
        folder = self._copy("killed")
        for number in numbers:
            ended = run(folder, self._case.words, number)
            if ended.code != -signal.SIGKILL:
                break
        else:
            ended = run(folder, self._case.words)
        if ended.code:
            return [f"exit code {ended.code}: {ended.err.strip().splitlines()[-1:]}"]
        if not self._case.streams and ended.out != self._whole.out:
            return [f"standard output is {ended.out!r}"]
        return differences(self._content, content(folder / "outputs"))


def warm() -> None:
    """Import what the commands import, so that each child starts with it; no thread is started, since children are forks."""
    import torch

    from mtl_cli.recipes import evaluate  # noqa: F401
    from mtl_cli.recipes.studies import affinity, search, series, sweep, transfer  # noqa: F401
    from mtl_cli.recipes.zeroshot import run  # noqa: F401

    torch.set_num_threads(1)


def numbers(events: int, every: int, sample: int | None, rng: random.Random) -> Iterator[int]:
    """Which events to kill at."""
    listed = range(1, events + 1, every)
    yield from listed if sample is None else sorted(rng.sample(listed, min(sample, len(listed))))


def main() -> int:
    """Run the cases; 1 if one of them is not equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", action="append", choices=list(CASES))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--sample", type=int, help="events of each command, by chance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--twice", type=float, default=0.2, help="share of the cases whose next try is killed too")
    asked = parser.parse_args()
    warm()
    rng, wrong = random.Random(asked.seed), 0
    with tempfile.TemporaryDirectory(prefix="mtl-kills-") as work:
        os.environ |= {"MTL_CACHE": f"{work}/cache", "PYTHONHASHSEED": "0"}
        for name in asked.command or CASES:
            began, equal, killed = time.monotonic(), 0, 0
            harness = Harness(name, Path(work))
            for number in numbers(harness.events, asked.every, asked.sample, rng):
                kills = (number, rng.randint(1, harness.events)) if rng.random() < asked.twice else (number,)
                problems = harness.kill(*kills)
                killed, equal = killed + 1, equal + (not problems)
                for problem in problems[:5]:
                    sys.stdout.write(f"  {name}, killed before event {kills}: {problem}\n")
            seconds = time.monotonic() - began
            sys.stdout.write(f"{name}: {harness.events} events, {killed} killed, {equal} equal ({seconds:.0f} s)\n")
            sys.stdout.flush()
            wrong += killed - equal
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
