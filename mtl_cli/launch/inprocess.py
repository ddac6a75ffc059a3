"""One point after another in this process: imports, encoded rows and files are opened once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mtl_cli.errors import Interrupted
from mtl_cli.launch.base import Job, Outcome, done, said


class InProcess:
    """Runs jobs here, in their order."""

    apart = False
    width = 1

    def prepare(self, folder: Path) -> None:
        """Nothing is needed."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Run all jobs; the first that is interrupted ends it."""
        for job in jobs:
            said(job, "begins")
            outcome = done(job)
            if isinstance(outcome.error, Interrupted):
                raise outcome.error
            yield outcome
