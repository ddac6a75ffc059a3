"""One program run to its end, or to a line it writes, and what it used. For the benchmarks of whole commands."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MTL = str(Path(sys.executable).with_name("mtl"))


@dataclass(frozen=True)
class Used:
    """What a program used, with the programs it waited for."""

    cpu: float
    """Seconds, user and system."""
    wall: float
    peak_mib: float
    """Largest resident memory. Linux counts the parent's at the fork as a floor: keep the caller small."""


def run(words: Sequence[str], environment: Mapping[str, str], until: str | None = None) -> Used:
    """Run a program; exit with its standard error if it fails.

    Args:
        words: program and arguments.
        environment: beside that of this process.
        until: a line of standard error begins so: there the program is killed, and what it had used counts.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        assert child.stderr is not None
        reached = False
        for line in child.stderr:
            said.write(line)
            if until is not None and line.startswith(until):
                reached = True
                os.kill(child.pid, signal.SIGKILL)
                break
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.stderr.close()
        child.returncode = os.waitstatus_to_exitcode(status)
        if not reached and (child.returncode or until is not None):
            said.seek(0)
            sys.exit(f"{' '.join(words)}\n{said.read()}exit code {child.returncode}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Used(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / unit)


def ranged(values: Sequence[float], digits: int = 2) -> str:
    """Median [least-most]."""
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}-{max(values):.{digits}f}]"


def verdict(name: str, ratios: Sequence[float], most: float) -> bool:
    """Print whether the median of some ratios is what it must be."""
    good = statistics.median(ratios) <= most
    print(f"{name}: {ranged(ratios)}, must be {most} or less: {'yes' if good else 'NO'}", flush=True)
    return good
