"""Points of a sweep, one after another: imports, tokenised rows and page cache are paid once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from mtl_cli.errors import ConfigError, Fault, Interrupted, MtlError
from mtl_cli.recipes.asked import Asked
from mtl_cli.recipes.builders import bind_all
from mtl_cli.recipes.train import train
from mtl_cli.runs.files import explained, write_json

log = logging.getLogger(__name__)


def sweep(points: Sequence[Asked], folder: Path) -> list[str]:
    """Train every point; one that fails does not stop the others.

    Returns:
        Names of the points that failed; what was wrong is said when it happens.

    Raises:
        ConfigError: the builders of some point do not bind; nothing was run.
        Interrupted: told to stop; finished points are kept, the current one has saved its state.
    """
    _check(points)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "sweep.json", [{"run": p.config.run.name, "overrides": list(p.overrides)} for p in points])
    failed: list[str] = []
    for i, point in enumerate(points, start=1):
        name = str(point.config.run.name).rpartition("/")[2]
        log.info("point    %d of %d: %s", i, len(points), name)
        try:
            train(point)
        except Interrupted as error:
            stopped = str(error).partition(" To go on:")[0]
            again = f"{len(points) - i} points are left. To go on with the sweep, repeat the command with run.name={folder.name}"
            raise Interrupted(f"{stopped} {again}", error.signal_number) from None
        except MtlError as error:
            log.error("point %s failed: %s", name, error)
            failed.append(name)
    return failed


def _check(points: Sequence[Asked]) -> None:
    faults: list[Fault] = []
    for point in points:
        try:
            bind_all(point.config)
        except ConfigError as error:
            faults += [f for f in error.faults if f not in faults]
    if faults:
        raise ConfigError(faults)
