"""`mtl train`: config -> rows -> model -> plan -> loop -> run folder."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import torch
from lightning_fabric import Fabric

from mtl_cli.assemble.bound import bind_all
from mtl_cli.assemble.fabric import make_fabric, use_threads
from mtl_cli.config.paths import outputs_dir
from mtl_cli.errors import MtlError, RunError
from mtl_cli.recipes.asked import Asked
from mtl_cli.recipes.train.pruning import Watch
from mtl_cli.recipes.train.session import Job, run_training
from mtl_cli.report.console import logging_to, setup_messages
from mtl_cli.runs.clean import clean_run
from mtl_cli.runs.folder import default_name, open_run
from mtl_cli.runs.formats import read_environment

log = logging.getLogger(__name__)


def train(asked: Asked, watch: Watch | None = None, look_ahead: float | None = None) -> Path:
    """Train one run and return its folder.

    Args:
        asked: the run.
        watch: sees every evaluation and may end the run as pruned; can be pickled.
        look_ahead: learning rate with which each look at the gradients looks ahead too (`train.affinity`); None: it does not.

    Raises:
        ConfigError, DataError: what was asked cannot be run; a folder made for it is gone again.
        RunError: it failed on the way; what was saved stays.
        Interrupted: it was told to stop, and has saved its state.
    """
    config = asked.config
    bound = bind_all(config)
    fabric = make_fabric(config.fabric)
    outputs = outputs_dir(config.run.outputs)
    path = outputs / (config.run.name or default_name(asked.what))
    folder = open_run(path, config.run.if_exists, outputs=outputs)
    job = Job(asked, bound, folder, watch, look_ahead)
    try:
        if folder.started:
            folder.check_same(asked.values, asked.command)
            if folder.finished:
                clean_run(path)
                log.info("%s is finished: nothing to do", path)
                return path
        recorded = read_environment(path).threads if folder.started else None
        job.threads = use_threads(
            config.fabric, recorded=recorded, processes=fabric.world_size // config.fabric.num_nodes
        )
        result = fabric.launch(_worker, job)  # type: ignore[arg-type]
        if isinstance(result, MtlError):
            raise result
        return path
    finally:
        folder.started |= job.started
        folder.discard_unstarted()
        folder.close()


def _worker(fabric: Fabric, job: Job) -> MtlError | None:
    """One process's share; errors come back as values, since they may have to cross processes."""
    if fabric.world_size > 1:
        setup_messages()  # a process of its own has none yet
        torch.set_num_threads(job.threads)
    try:
        with logging_to(job.path / "log.txt", quiet=not fabric.is_global_zero):
            run_training(fabric, job)
    except MtlError as error:
        if job.started and isinstance(error, RunError) and not job.place.is_there:
            return job.place.gone()
        if fabric.is_global_zero and job.started and job.place.is_there:
            with contextlib.suppress(OSError), (job.path / "log.txt").open("a", encoding="utf-8") as stream:
                stream.write(f"{error}\n")
        return error
    return None
