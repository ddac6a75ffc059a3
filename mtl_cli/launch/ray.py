"""Points as tasks of a Ray cluster (https://docs.ray.io), or of one that is started on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mtl_cli.errors import ConfigError, Fault, RunError
from mtl_cli.launch.base import Job, Outcome, done, need, said, stoppable, told
from mtl_cli.threads import cores


class RayLauncher:
    """Runs jobs as Ray tasks.

    Args:
        address: of a running cluster, "auto" to find it; None to start one here.
        at_once: tasks at once; None for as many as this machine has cores.
        num_cpus: cores of one task.
        num_gpus: GPUs of one task; a fraction shares one.
        init: further arguments of `ray.init`, such as `runtime_env`.
    """

    apart = True

    def __init__(
        self, *, address: str | None, at_once: int | None, num_cpus: float, num_gpus: float, init: dict[str, Any]
    ) -> None:
        if at_once is not None and at_once < 1:
            raise ValueError(f"at_once must be at least 1, or null; found {at_once}")
        self._address, self._cpus, self._gpus, self._init = address, num_cpus, num_gpus, init
        self.width = at_once or cores()

    def prepare(self, folder: Path) -> None:  # noqa: ARG002
        """Raise `ConfigError` if ray is not there, or its cluster cannot be reached."""
        need("ray", "ray")
        import ray

        try:
            ray.init(address=self._address, ignore_reinit_error=True, log_to_driver=False, **self._init)
        except (ConnectionError, RuntimeError, TypeError, ValueError) as error:
            raise ConfigError([Fault("launcher", str(error).strip().split("\n")[0])]) from error

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Run all jobs; told to stop, cancel the running tasks, which makes them save."""
        import ray

        remote = ray.remote(num_cpus=self._cpus, num_gpus=self._gpus, max_retries=0)(_in_task)
        running: dict[Any, Job] = {}
        waiting = list(jobs)
        with told(lambda: _cancel(list(running))) as state:
            while waiting or running:
                while waiting and len(running) < self.width and state.number is None:
                    job = waiting.pop(0)
                    said(job, "begins")
                    running[remote.remote(job)] = job
                ended, _ = ray.wait(list(running), num_returns=1, timeout=0.5)
                for ref in ended:
                    outcome = _outcome(ref, running.pop(ref))
                    if state.number is None:
                        yield outcome
                if state.number is not None and not running:
                    break
            state.check()


def _outcome(ref: Any, job: Job) -> Outcome:
    import ray

    try:
        return ray.get(ref)
    except ray.exceptions.RayError as error:
        return Outcome(job.name, RunError(f"its task ended without a result: {str(error).strip().splitlines()[-1]}"))


def _cancel(refs: Sequence[Any]) -> None:
    import ray

    for ref in refs:
        ray.cancel(ref, force=False)


def _in_task(job: Job) -> Outcome:
    with stoppable():
        return done(job)
