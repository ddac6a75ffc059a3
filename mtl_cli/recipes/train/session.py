"""One process of a training run: the stages in their order, the loop, the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning_fabric import Fabric

from mtl_cli.assemble.bound import Bound
from mtl_cli.assemble.built import Built, build_model, start_training_mode
from mtl_cli.assemble.data_facts import SetFacts, data_line, report_data
from mtl_cli.assemble.fabric import precision_of
from mtl_cli.assemble.opened import open_rows
from mtl_cli.assemble.planned import Planned, plan_steps, plan_training
from mtl_cli.assemble.sampling import sampling_line
from mtl_cli.errors import Interrupted, RunError
from mtl_cli.metrics.scorer import TaskScore
from mtl_cli.recipes.asked import Asked
from mtl_cli.recipes.train.begin import begin_run, check_same_data
from mtl_cli.recipes.train.finish import Finish
from mtl_cli.recipes.train.interrupt import signals_to
from mtl_cli.recipes.train.pruning import Watch, WatchedSelector
from mtl_cli.recipes.train.recorder import RunRecorder
from mtl_cli.recipes.train.validation import Validation
from mtl_cli.report.progress import make_progress
from mtl_cli.runs.checkpoint import Checkpoint, Checkpoints
from mtl_cli.runs.folder import RunFolder
from mtl_cli.runs.record import MetricsLog
from mtl_cli.train.affinity import LookAheads
from mtl_cli.train.diagnose import Diagnostics
from mtl_cli.train.loop import Loop, Stop, StopNow
from mtl_cli.train.select import Selector
from mtl_cli.train.step.standard import StandardStepper
from mtl_cli.weighting.base import Chosen

log = logging.getLogger(__name__)


class Job:
    """What a process needs to run; no dataclass, since Fabric looks into those for modules to share."""

    def __init__(
        self, asked: Asked, bound: Bound, folder: RunFolder, watch: Watch | None, look_ahead: float | None
    ) -> None:
        self.asked, self.bound, self.watch, self.look_ahead = asked, bound, watch, look_ahead
        self.place = folder.place
        self.started = folder.started
        """Whether the run has begun; set in this process alone, so a folder is looked at too before it is discarded."""
        self.threads = 1
        """Of each process; those that are spawned must be told."""

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.place.path


def run_training(fabric: Fabric, job: Job) -> None:
    """Prepare, train, score.

    Raises:
        ConfigError: what was asked cannot be run.
        RunError: it failed on the way; what was saved stays.
        Interrupted: a signal came; the state is saved.
    """
    began, config = time.time(), job.asked.config
    checkpoints = Checkpoints(job.path / "checkpoints", job.place)
    resumed = _newest(fabric, job, checkpoints)
    torch.manual_seed(config.seed)
    opened = open_rows(job.bound, job.bound.backbone.build())
    facts = opened.facts()
    _report_rows(facts)
    if job.started:
        check_same_data(job.path, facts)
    built = build_model(opened, fabric, resumed)
    start_training_mode(built)
    _report_model(built)
    planned = plan_training(built, plan_steps(opened))
    log.info(
        "steps    %d of %d rows, %d an epoch", planned.settings.steps, config.batch.size, planned.settings.epoch_steps
    )
    stop, selector = Stop(), _selector(fabric, job)
    validation = Validation(built, planned.steps.sampler, stop)
    progress = make_progress(config.train.progress, planned.settings.steps, list(opened.rows))
    recorder = RunRecorder(
        checkpoints, opened.backbone.save, config.checkpoint.keep, progress, planned.loader.chances
    )  # fmt: skip
    loop = _loop(planned, validation, selector, recorder, stop, job.look_ahead)
    # Dropout draws begin here whatever was drawn before; each process has its own.
    torch.manual_seed(config.seed + 1_000_003 * (fabric.global_rank + 1))
    if resumed:
        _load(loop, resumed)
    _report_sampling(planned, resumed)
    if fabric.is_global_zero:
        if not job.started:
            begin_run(job.place, job.asked, built, facts)
            job.started = True
        kept = resumed.progress.metrics_bytes if resumed else 0
        recorder.open(MetricsLog(job.path / "metrics.jsonl", kept, job.place))
    _train(loop, stop, recorder, Finish(job.place, planned, validation, selector, checkpoints, began), job)


def _train(loop: Loop, stop: Stop, recorder: RunRecorder, finish: Finish, job: Job) -> None:
    """Run the loop and what comes after it; a signal in either leaves a state to resume from."""
    with signals_to(stop):
        try:
            result = loop.run()
            recorder.close()
            if finish.planned.built.fabric.is_global_zero:
                finish.write(result)
        except StopNow:
            raise _interrupted("stopped while the best checkpoint was scored, state saved", job, stop) from None
        except Interrupted as error:
            raise _interrupted(error.what, job, stop) from None
        finally:
            recorder.close()


def _interrupted(what: str, job: Job, stop: Stop) -> Interrupted:
    command = job.asked.resume_command(job.asked.config.run.name or job.path.name)
    return Interrupted(what, stop.signal_number or 2, resume_command=command)


def _newest(fabric: Fabric, job: Job, checkpoints: Checkpoints) -> Checkpoint | None:
    """The checkpoint to resume from; None for a run that begins."""
    if not job.started:
        return None
    if fabric.is_global_zero:
        checkpoints.recover()
    fabric.barrier()
    found = checkpoints.newest(log.warning)
    if found and fabric.is_global_zero:
        # Before anything is deleted: else what is pruned may be the true best.
        checkpoints.follow(found.progress)
        checkpoints.prune(job.asked.config.checkpoint.keep)
    log.info("resume   %s", f"from {found.path.name}" if found else "from the start: there is no whole checkpoint")
    return found


def _loop(
    planned: Planned, validation: Validation, selector: Selector, recorder: RunRecorder, stop: Stop,
    look_ahead: float | None,
) -> Loop:  # fmt: skip
    built = planned.built
    stepper = StandardStepper(
        model=built.model,
        losses=built.opened.objectives,
        weighting=planned.steps.weighting,
        optimizer=planned.optimizer,
        schedule=planned.steps.schedule,
        loader=planned.loader,
        clip_norm=built.opened.bound.config.optim.clip_norm,
        diagnostics=_diagnostics(built, look_ahead),
        fabric=built.fabric,
    )
    return Loop(
        model=built.model,
        kinds=built.opened.kinds,
        stepper=stepper,
        evaluate=validation.evaluate,
        selector=selector,
        recorder=recorder,
        settings=planned.settings,
        fabric=built.fabric,
        stop=stop,
    )


def _load(loop: Loop, resumed: Checkpoint) -> None:
    training = resumed.training()
    try:
        loop.load(training, resumed.state)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        what = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no value'}"
        raise RunError(
            f"checkpoint {resumed.path} does not hold the state of this run ({what}). "
            "Remove it to resume from the one before it."
        ) from error


def _selector(fabric: Fabric, job: Job) -> Selector:
    section, watch = job.asked.config.eval, job.watch
    if watch is None:
        return Selector(section.select, section.patience, section.min_delta)

    def watched(scores: Sequence[TaskScore], step: int) -> bool:
        pruned = watch(scores, step) if fabric.is_global_zero else False
        return pruned if fabric.world_size == 1 else bool(fabric.broadcast(pruned))

    return WatchedSelector(section.select, section.patience, section.min_delta, watched)


def _diagnostics(built: Built, look_ahead: float | None) -> Diagnostics | None:
    section, names = built.opened.bound.config.diagnostics, tuple(built.opened.rows)
    if section.every is None or len(names) == 1 or not built.model.shares:
        return None
    chosen = Chosen(section.params)
    if look_ahead is not None:
        return LookAheads(names, section.every, chosen, look_ahead=look_ahead)
    return Diagnostics(names, section.every, chosen)


def _report_rows(facts: Sequence[SetFacts]) -> None:
    log.info("data     %s", data_line(facts))
    report_data(facts)


def _report_model(built: Built) -> None:
    log.info(
        "model    %s; %.1f M parameters trained on %s, %s",
        built.opened.backbone.identity,
        sum(p.numel() for _, p in built.model.trained()) / 1e6,
        built.fabric.device,
        precision_of(built.fabric),
    )


def _report_sampling(planned: Planned, resumed: Checkpoint | None) -> None:
    """Log chance and effective weight of each task at the step that comes next."""
    names, steps = list(planned.built.opened.rows), planned.steps
    if len(names) == 1:
        return
    step = min(resumed.progress.step if resumed else 0, planned.settings.steps - 1)
    chances = dict(zip(names, steps.sampler.chances_K(step).tolist(), strict=True))
    name = planned.built.opened.bound.config.sampler.name
    log.info("sampling %s", sampling_line(name, chances, steps.lambdas.by_task(step)))
