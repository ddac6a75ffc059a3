"""Points as jobs of a cluster, or of this machine, by submitit (https://github.com/facebookincubator/submitit)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from mtl_cli.errors import ConfigError, Fault, RunError
from mtl_cli.launch.base import Job, Outcome, done, need, said, told


class SubmititLauncher:
    """Submits jobs and waits for them; submitit's own files lie in `.submitit` in the sweep's folder.

    Args:
        cluster: slurm; local (processes of this machine); debug (this process).
        at_once: jobs in the queue at the same time; None for all, submitted as one array.
        poll_seconds: between looks at the queue.
        parameters: of submitit's `AutoExecutor.update_parameters`, such as `timeout_min`, `slurm_partition`.
    """

    apart = True

    def __init__(
        self,
        *,
        cluster: Literal["slurm", "local", "debug"],
        at_once: int | None,
        poll_seconds: float,
        parameters: dict[str, Any],
    ) -> None:
        if at_once is not None and at_once < 1:
            raise ValueError(f"at_once must be at least 1, or null for all; found {at_once}")
        if poll_seconds <= 0:
            raise ValueError(f"poll_seconds must be more than 0; found {poll_seconds}")
        self._cluster, self._at_once, self._poll, self._parameters = cluster, at_once, poll_seconds, parameters
        self._executor: Any = None

    @property
    def width(self) -> int:
        """Trials of a search at once; all points of a sweep if `at_once` is null, of a search one."""
        return self._at_once or 1

    def prepare(self, folder: Path) -> None:
        """Raise `ConfigError` if submitit is not there, or refuses cluster or parameters."""
        need("submitit", "submitit")
        import submitit

        made = [path for path in (folder / ".submitit", folder) if not path.exists()]
        try:
            self._executor = submitit.AutoExecutor(folder=folder.absolute() / ".submitit", cluster=self._cluster)
            self._executor.update_parameters(**self._parameters)
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            for path in made:  # what an earlier sweep left there stays
                with contextlib.suppress(OSError):
                    path.rmdir()
            raise ConfigError([Fault("launcher", str(error).strip().split("\n")[0])]) from error

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Submit all jobs and wait for them; told to stop, cancel those that are left, which makes them save."""
        running: list[tuple[Job, Any]] = []
        waiting = list(jobs)
        with told(lambda: _cancel(running)) as state:
            while waiting or running:
                state.check()
                room = len(waiting) if self._at_once is None else self._at_once - len(running)
                running += self._submitted(waiting[:room])
                waiting = waiting[max(0, room) :]
                ended = [pair for pair in running if pair[1].done()]
                for pair in ended:
                    running.remove(pair)
                    yield _outcome(*pair)
                if running and not ended:
                    time.sleep(self._poll)
            state.check()

    def _submitted(self, jobs: Sequence[Job]) -> list[tuple[Job, Any]]:
        if not jobs:
            return []
        for job in jobs:
            said(job, "is submitted")
        if len(jobs) == 1:  # an array of one would look odd in the queue
            return [(jobs[0], self._executor.submit(Requeued(jobs[0])))]
        with self._executor.batch():
            handles = [self._executor.submit(Requeued(job)) for job in jobs]
        return list(zip(jobs, handles, strict=True))


class Requeued:
    """A job as submitit calls it. After preemption or a timeout it is queued again, and its run goes on where it was saved."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def __call__(self) -> Outcome:
        """Do the work."""
        return done(self._job)

    def checkpoint(self) -> Any:
        """What to submit in its place."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def _outcome(job: Job, handle: Any) -> Outcome:
    error = handle.exception()
    if error is None:
        return handle.result()
    where = f"see {handle.paths.stderr}"
    return Outcome(job.name, RunError(f"its job {handle.job_id} ended without a result; {where}"))


def _cancel(running: Sequence[tuple[Job, Any]]) -> None:
    for _, handle in running:
        handle.cancel(check=False)
