"""How many threads compute, and how they wait, on a machine that other programs use too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

SPINS = 2000
"""Looks at a lock before an OpenMP thread sleeps: 0.05 ms on a 2 GHz Xeon, about the gap between two operators of a step, which a run
alone must not sleep through. libgomp's own 300,000 take 7 ms, for which a core is lost that another program, or this very run's other
thread, waits for. Of two runs at once on two cores each kept 0.51 of the speed of one alone, and 0.23 without this."""
_USERS_OWN = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
_STAT = Path("/proc/stat")
_BUSY = (0, 1, 2, 5, 6, 7)
"""Columns of /proc/stat in which a core works: user, nice, system, irq, softirq, steal; not idle and iowait."""


def limit_spinning(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let idle OpenMP threads sleep soon, unless the user has a say on it; before torch is imported, which reads it once."""
    if not any(name in environment for name in _USERS_OWN):
        environment["GOMP_SPINCOUNT"] = str(SPINS)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(_allowed())


def _allowed() -> Collection[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def omp_threads(environment: Mapping[str, str] = os.environ) -> int | None:
    """What OMP_NUM_THREADS says of the outermost level; None if it is not set, or no number."""
    first = environment.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) or None if first.isdecimal() else None


@dataclass(frozen=True)
class Sample:
    """Time used up to a moment."""

    wall: float
    own: float
    """Processor seconds of this process."""
    busy: float
    """Seconds that the cores which this process may use were busy, over all of them and whatever for."""

    def others_since(self, before: Sample) -> float:
        """How many cores other programs kept busy, on average."""
        wall = max(self.wall - before.wall, 1e-9)
        return min(max(0.0, (self.busy - before.busy) - (self.own - before.own)) / wall, float(cores()))


def sample(stat: Path = _STAT) -> Sample | None:
    """The time used up to now; None where the system does not say, as outside Linux."""
    names = {f"cpu{number}" for number in _allowed()}
    try:
        lines = [line.split() for line in stat.read_text(encoding="ascii").splitlines()]
        ticks = [[int(text) for text in line[1:]] for line in lines if line and line[0] in names]
        busy = sum(core[column] for core in ticks for column in _BUSY)
    except (OSError, ValueError, IndexError):
        return None
    if len(ticks) < len(names):
        return None
    return Sample(time.monotonic(), time.process_time(), busy / os.sysconf("SC_CLK_TCK"))


def others_now(seconds: float = 0.25, stat: Path = _STAT) -> float:
    """How many cores other programs keep busy; 0 where the system does not say."""
    before = sample(stat)
    if before is None:
        return 0.0
    time.sleep(seconds)
    after = sample(stat)
    return 0.0 if after is None else after.others_since(before)


def threads_beside(others: float, most: int) -> int:
    """Threads for the share of the machine that is free; at least one.

    Args:
        others: cores that other programs keep busy.
        most: threads of a process that has the machine to itself: fewer than the cores where two share one unit of arithmetic.
    """
    return max(1, round(most * (1 - others / cores())))


class Contention:
    """Finds out, once, that the threads of this process have to wait for cores that other programs keep busy.

    Threads that compute together wait for the slowest of them at the end of every operator. One that gets half a core thus
    costs as much as if all did.

    Args:
        threads: that compute here.
        seconds: over which load is averaged; shorter than that, a burst of another program would count as load.
        sample: the time used up to now.
    """

    def __init__(self, threads: int, seconds: float = 10.0, sample: Callable[[], Sample | None] = sample) -> None:
        self._threads, self._seconds, self._sample = threads, seconds, sample
        self._before = sample() if threads > 1 else None

    def look(self) -> str | None:
        """What to warn of; None for nothing, and always after the first warning."""
        before, now = self._before, self._sample() if self._before is not None else None
        if before is None or now is None or now.wall - before.wall < self._seconds:
            return None
        self._before, others = now, now.others_since(before)
        lacking = self._threads - (cores() - others)
        starved = (now.own - before.own) / (now.wall - before.wall) < self._threads - 0.5
        if lacking < 0.5 or not starved:
            return None
        self._before = None
        return (
            f"other programs keep {others:.1f} of {cores()} cores busy, so the {self._threads} threads of this run wait for one "
            f"another. Fewer are faster: stop it and resume with fabric.threads={threads_beside(others, self._threads)}, "
            "or stop the other programs."
        )
