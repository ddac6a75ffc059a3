"""Points in worker processes of this machine, by joblib's loky."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from mtl_cli.errors import RunError
from mtl_cli.launch.base import Job, Outcome, Told, done, said, stoppable, told
from mtl_cli.threads import cores, omp_threads


class JoblibLauncher:
    """Runs jobs in worker processes.

    Args:
        n_jobs: worker processes; None for as many as there are cores.
        threads: threads of each worker; None for OMP_NUM_THREADS, else the cores over the workers.
    """

    apart = True

    def __init__(self, *, n_jobs: int | None, threads: int | None) -> None:
        if n_jobs is not None and n_jobs < 1:
            raise ValueError(f"n_jobs must be at least 1, or null for one a core; found {n_jobs}")
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1; found {threads}")
        self.width = n_jobs or cores()
        self._threads = threads or omp_threads() or max(1, cores() // self.width)

    def prepare(self, folder: Path) -> None:
        """Nothing is needed."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Run all jobs, `width` at once; a worker takes the next one when it is free."""
        from joblib import Parallel, delayed, parallel_config

        begun: list[str] = []
        with tempfile.TemporaryDirectory(prefix="mtl-") as pids, told(lambda: _pass_on(Path(pids))) as state:
            calls = (delayed(_in_worker)(job, os.getpid(), pids) for job in _begun(jobs, begun, state))
            # Always given: what loky would choose counts the cores of the machine, not those of this process.
            with parallel_config(backend="loky", inner_max_num_threads=self._threads):
                results = Parallel(
                    n_jobs=self.width, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1
                )(calls)
            try:
                for outcome in results:
                    begun.remove(outcome.name)
                    if state.number is None:
                        yield outcome
            except BrokenProcessPool as error:
                state.check()
                raise RunError(
                    f"a worker process died, perhaps for want of memory; it had one of: {', '.join(begun)}. "
                    "Finished points are kept: repeat the command with the same run.name, or with fewer launcher.n_jobs."
                ) from error
            state.check()


def _begun(jobs: Sequence[Job], begun: list[str], state: Told) -> Iterator[Job]:
    """The jobs as workers take them; none any more once a signal has come."""
    for job in jobs:
        if state.number is not None:
            return
        said(job, "begins")
        begun.append(job.name)
        yield job


def _pass_on(pids: Path) -> None:
    """Tell the workers that have a job to save and stop."""
    for path in pids.glob("*"):
        try:
            os.kill(int(path.name), signal.SIGTERM)
        except ProcessLookupError:
            continue


def _in_worker(job: Job, driver: int, pids: str) -> Outcome:
    """A job in a worker, which notes that it is at work and follows its driver's fate."""
    if os.getpgrp() == os.getpgid(driver):
        os.setpgrp()  # Ctrl-C in a terminal goes to the driver alone, which passes it on once
    mark = Path(pids) / str(os.getpid())
    threading.Thread(target=_follow, args=(driver, mark), daemon=True).start()
    with stoppable():
        mark.touch()
        try:
            return done(job)
        finally:
            mark.unlink(missing_ok=True)


def _follow(driver: int, mark: Path) -> None:
    """Save and stop when the driver has been killed, so that its points are free for the next one."""
    while os.getppid() == driver:
        time.sleep(0.5)
        if not mark.exists():
            return
    os.kill(os.getpid(), signal.SIGTERM)
    while mark.exists():
        time.sleep(0.1)
    os._exit(143)
