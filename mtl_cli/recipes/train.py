"""`mtl train`: config -> tasks -> rows -> model -> loop -> run folder."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from mtl_cli.assemble.bound import Bound, bind_all, check_chosen, check_scores, check_together
from mtl_cli.assemble.data_facts import data_facts, data_line, describe_data, report_data
from mtl_cli.assemble.fabric import make_fabric
from mtl_cli.assemble.lambdas import Lambdas, as_written
from mtl_cli.assemble.length import evaluated_every, run_length
from mtl_cli.assemble.rows import Rows
from mtl_cli.assemble.sampling import begin_sampler, observations, sampling_line
from mtl_cli.assemble.scoring import Scored, Scoring, score, summarised
from mtl_cli.assemble.stored import load_weights
from mtl_cli.assemble.tasks import head_names
from mtl_cli.config.paths import outputs_dir
from mtl_cli.data.encoded import EncodedSet
from mtl_cli.data.loader import Passes, StepLoader, limited
from mtl_cli.data.sampler.base import Length, Observed, Sampler
from mtl_cli.errors import ConfigError, DataError, Fault, Interrupted, MtlError, RunError
from mtl_cli.metrics.scorer import TaskScore
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.optim.groups import Placed, Rates, adamw, freeze
from mtl_cli.recipes.asked import Asked
from mtl_cli.recipes.interrupt import signals_to
from mtl_cli.recipes.pruning import Watch, WatchedSelector
from mtl_cli.recipes.recorder import RunRecorder
from mtl_cli.report.console import logging_to, setup_messages
from mtl_cli.report.progress import make_progress
from mtl_cli.report.table import score_table, undefined_lines
from mtl_cli.runs.checkpoint import Checkpoint, Checkpoints, name_of, verified
from mtl_cli.runs.clean import clean_run
from mtl_cli.runs.files import explained, write_json
from mtl_cli.runs.folder import RunFolder, begin, default_name, open_run
from mtl_cli.runs.formats import read_environment
from mtl_cli.runs.provenance import environment, peak_memory_mib, process_start
from mtl_cli.runs.record import MetricsLog
from mtl_cli.tasks.kinds.base import Kind
from mtl_cli.train.affinity import LookAheads
from mtl_cli.train.diagnose import Diagnostics
from mtl_cli.train.loop import Loop, Settings, Stop, StopNow, Trained
from mtl_cli.train.select import Selector
from mtl_cli.weighting.base import Chosen, Weighting

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
    builders = bind_all(config)
    fabric = make_fabric(config.fabric)
    outputs = outputs_dir(config.run.outputs)
    path = outputs / (config.run.name or default_name(asked.what))
    folder = open_run(path, config.run.if_exists, outputs=outputs)
    job = _Job(asked, builders, folder, watch, look_ahead)
    try:
        if folder.started:
            folder.check_same(asked.values)
            if folder.finished:
                clean_run(path)
                log.info("%s is finished: nothing to do", path)
                return path
        result = fabric.launch(_worker, job)  # type: ignore[arg-type]
        if isinstance(result, MtlError):
            raise result
        return path
    finally:
        folder.started |= job.started
        folder.discard_unstarted()
        folder.close()


class _Job:
    """What a process needs to run; no dataclass, since Fabric looks into those for modules to share."""

    def __init__(
        self, asked: Asked, builders: Bound, folder: RunFolder, watch: Watch | None, look_ahead: float | None
    ) -> None:
        self.asked, self.builders, self.watch, self.look_ahead = asked, builders, watch, look_ahead
        self.place = folder.place
        self.started = folder.started
        """Whether the run has begun; set in this process alone, so a folder is looked at too before it is discarded."""

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.place.path


def _worker(fabric: Fabric, job: _Job) -> MtlError | None:
    """One process's share; errors come back as values, since they may have to cross processes."""
    if fabric.world_size > 1:
        setup_messages()  # a process of its own has none yet
    try:
        with logging_to(job.path / "log.txt", quiet=not fabric.is_global_zero):
            _Run(fabric, job).go()
    except MtlError as error:
        if job.started and isinstance(error, RunError) and not job.place.is_there:
            return job.place.gone()
        if fabric.is_global_zero and job.started and job.place.is_there:
            with contextlib.suppress(OSError), (job.path / "log.txt").open("a", encoding="utf-8") as stream:
                stream.write(f"{error}\n")
        return error
    return None


class _Run:
    """The parts of one run in the order they are made."""

    def __init__(self, fabric: Fabric, job: _Job) -> None:
        self.fabric, self.job, self.asked, self.config = fabric, job, job.asked, job.asked.config
        self.builders, self.path, self.watch, self.look_ahead = job.builders, job.path, job.watch, job.look_ahead
        self.began = time.time()
        self.checkpoints = Checkpoints(job.path / "checkpoints", job.place)
        self.zero = fabric.is_global_zero
        self.outputs: dict[tuple[str, str], np.ndarray] = {}
        """Outputs of the last evaluation: those of the final scores if the last step is the best one."""
        self.reported: list[str] = []
        """Metrics without a value that were warned of."""

    def go(self) -> None:
        """Prepare, train, score."""
        resumed = self._resumed()
        self._load_rows()
        self._build_model(resumed)
        loop = self._build_loop(resumed)
        if self.zero:
            self._begin(resumed)
        with signals_to(self.stop):
            try:
                trained = loop.run()
                self.recorder.close()
                if self.zero:
                    self._finish(trained)
            except StopNow:
                raise self._interrupted("stopped while the best checkpoint was scored, state saved") from None
            except Interrupted as error:
                raise self._interrupted(str(error)) from None
            finally:
                self.recorder.close()

    def _interrupted(self, what: str) -> Interrupted:
        command = self.asked.resume_command(self.config.run.name or self.path.name)
        return Interrupted(f"{what}. To go on: {command}", self.stop.signal_number or 2)

    def _resumed(self) -> Checkpoint | None:
        if not self.job.started:
            return None
        if self.zero:
            self.checkpoints.recover()
        self.fabric.barrier()
        found = self.checkpoints.newest(log.warning)
        if found and self.zero:
            # Before anything is deleted: else what is pruned may be the true best.
            self.checkpoints.follow(found.progress)
            self.checkpoints.prune(self.config.checkpoint.keep)
        log.info("resume   %s", f"from {found.path.name}" if found else "from the start: there is no whole checkpoint")
        return found

    def _load_rows(self) -> None:
        torch.manual_seed(self.config.seed)
        self.backbone = self.builders.backbone.build()
        rows = Rows(self.config.data, self.backbone)
        self.sets: dict[str, EncodedSet] = {}
        self.validation: dict[str, list[EncodedSet]] = {}
        for name, bound in self.builders.tasks.items():
            self.sets[name] = rows.open(bound.task, "train")[0]
            self.validation[name] = self._few(rows.open(bound.task, "validation"))
        self.rows = {n: limited(s, self.config.data.limit) for n, s in self.sets.items()}
        for name, chosen in self.rows.items():
            if not len(chosen):
                raise DataError(
                    f"task '{name}': no training row has a label in column '{self.builders.tasks[name].task.label}'"
                )
            if self.builders.tasks[name].task.kind.classes and len(np.unique(self.sets[name].labels_N[chosen])) == 1:
                log.warning("task '%s': all training rows have the same label; there is nothing to tell apart", name)
            if all(s.unlabelled == len(s) for s in self.validation[name]):
                raise DataError(f"task '{name}': no validation row has a label; give a labelled validation split")
        train = {name: (encoded, self.rows[name]) for name, encoded in self.sets.items()}
        self.facts = data_facts(self.builders.tasks, self.validation, "validation", train)
        log.info("data     %s", data_line(self.facts))
        report_data(self.facts)
        self._check_same_data()

    def _few(self, sets: list[EncodedSet]) -> list[EncodedSet]:
        limit = self.config.eval.limit
        return sets if limit is None else [one.chosen(limited(one, limit)) for one in sets]

    def _build_model(self, resumed: Checkpoint | None) -> None:
        config = self.config
        self.kinds: dict[str, Kind] = {}
        for name, bound in self.builders.tasks.items():
            try:
                self.kinds[name] = bound.task.kind.fitted(self.sets[name].labels_N[self.rows[name]])
            except ValueError as error:
                raise DataError(f"task '{name}': {error}") from error
        sharing = self.builders.sharing.build(self.backbone, list(self.kinds))
        self.model = MultiTaskModel(
            sharing, {n: k.head for n, k in self.kinds.items()}, config.seed, head_names(self.builders.tasks)
        )
        if resumed:
            load_weights(self.model, resumed)
        encoders = [one.encoder for one in sharing.backbones]
        freeze(
            [Placed(p, name, self._depth(name)) for name, p in self.model.named_parameters()],
            self.backbone.layers,
            config.optim.freeze,
        )
        if config.train.gradient_checkpointing:
            for encoder in encoders:
                encoder.gradient_checkpointing_enable()
        self.fabric.to_device(self.model)
        self.model.train()
        if config.train.compile:
            for encoder in encoders:
                encoder.compile(dynamic=True)
        trained = sum(p.numel() for _, p in self.model.trained())
        log.info(
            "model    %s; %.1f M parameters trained on %s, %s",
            self.backbone.identity,
            trained / 1e6,
            self.fabric.device,
            self.precision,
        )

    @property
    def precision(self) -> str:
        """Fabric's word for it."""
        return str(self.fabric._precision.precision)

    def _build_loop(self, resumed: Checkpoint | None) -> Loop:
        config = self.config
        settings = self._settings()
        names = list(self.kinds)
        length = Length(settings.steps, settings.epoch_steps)
        sampler: Sampler = self.builders.sampler.build(names, [len(self.rows[n]) for n in names])
        begin_sampler(config.sampler.name, sampler, self.builders.tasks, length)
        lambdas = Lambdas({n: config.weights[n] for n in names}, length)
        weighting: Weighting = self.builders.weighting.build(names, lambdas)
        check_together(config, sampler, weighting, length)
        check_scores(self.builders.tasks, self.validation, sampler, weighting)
        check_chosen(config, self.model, weighting)
        if config.batch.size < self.fabric.world_size:
            share = f"{config.batch.size} rows cannot be shared by {self.fabric.world_size} processes"
            raise ConfigError([Fault("batch.size", share)])
        optimizer = self._optimizer(weighting)
        schedule = self.builders.schedule.build(settings.steps)
        loader = StepLoader(
            self.sets,
            self.rows,
            sampler,
            size=config.batch.size,
            window=config.batch.window,
            pad_id=self.backbone.pad_id,
            seed=config.seed,
            passes=Passes(
                config.batch.pass_cost,
                config.batch.micro_size,
                config.batch.micro_tokens,
                by_task=weighting.one_task_passes and len(names) > 1,
            ),
            rank=self.fabric.global_rank,
            world=self.fabric.world_size,
        )
        log.info("steps    %d of %d rows, %d an epoch", settings.steps, config.batch.size, settings.epoch_steps)
        self.sampler = sampler
        self.stop = Stop()
        self.recorder = RunRecorder(
            self.checkpoints,
            self.backbone.save,
            config.checkpoint.keep,
            make_progress(config.train.progress, settings.steps, names),
            loader.chances,
        )
        loop = Loop(
            model=self.model,
            kinds=self.kinds,
            weighting=weighting,
            optimizer=optimizer,
            schedule=schedule,
            loader=loader,
            evaluate=self._evaluate,
            selector=self._selector(),
            recorder=self.recorder,
            settings=settings,
            diagnostics=self._diagnostics(),
            fabric=self.fabric,
            stop=self.stop,
        )
        # Dropout draws begin here whatever was drawn before; each process has its own.
        torch.manual_seed(config.seed + 1_000_003 * (self.fabric.global_rank + 1))
        if resumed:
            self._load(loop, resumed)
        if len(names) > 1:
            step = min(resumed.progress.step if resumed else 0, settings.steps - 1)
            chances = dict(zip(names, sampler.chances_K(step).tolist(), strict=True))
            log.info("sampling %s", sampling_line(config.sampler.name, chances, lambdas.by_task(step)))
        return loop

    def _load(self, loop: Loop, resumed: Checkpoint) -> None:
        training = resumed.training()
        try:
            loop.load(training, resumed.state)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
            what = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no value'}"
            raise RunError(
                f"checkpoint {resumed.path} does not hold the state of this run ({what}). "
                "Remove it to resume from the one before it."
            ) from error

    def _selector(self) -> Selector:
        asked = self.config.eval
        if self.watch is None:
            self.selector = Selector(asked.select, asked.patience, asked.min_delta)
        else:
            self.selector = WatchedSelector(asked.select, asked.patience, asked.min_delta, self._watched)
        return self.selector

    def _watched(self, scores: Sequence[TaskScore], step: int) -> bool:
        assert self.watch is not None
        pruned = self.watch(scores, step) if self.zero else False
        return pruned if self.fabric.world_size == 1 else bool(self.fabric.broadcast(pruned))

    def _optimizer(self, weighting: Weighting) -> torch.optim.AdamW:
        o = self.config.optim
        placed = [Placed(p, name, self._depth(name)) for name, p in self.model.trained()]
        rates = Rates(o.lr, o.lr if o.head_lr is None else o.head_lr, o.weight_decay, o.betas, o.eps, o.layer_decay)
        return adamw(placed, self.backbone.layers, rates, weighting.parameters())

    def _depth(self, name: str) -> int | None:
        return self.model.depth(name)

    def _settings(self) -> Settings:
        config = self.config
        length = run_length(config, sum(len(r) for r in self.rows.values()))
        return Settings(
            length.steps,
            length.epoch_steps,
            config.train.log_every,
            evaluated_every(config, length),
            config.checkpoint.every,
            config.optim.clip_norm,
            config.optim.bad_step,
        )

    def _diagnostics(self) -> Diagnostics | None:
        section = self.config.diagnostics
        if section.every is None or len(self.kinds) == 1:
            return None
        if not self.model.shares:
            return None
        names, chosen = tuple(self.kinds), Chosen(section.params)
        if self.look_ahead is not None:
            return LookAheads(names, section.every, chosen, look_ahead=self.look_ahead)
        return Diagnostics(names, section.every, chosen)

    def _begin(self, resumed: Checkpoint | None) -> None:
        """Mark the folder as a run; nothing has been trained before this."""
        env_path = self.path / "env.json"
        if not self.job.started:
            self.job.place.check()
            with explained(self.path):
                write_json(
                    env_path,
                    {
                        **environment(),
                        "seed": self.config.seed,
                        "device": str(self.fabric.device),
                        "precision": self.precision,
                        "processes": self.fabric.world_size,
                        "threads": torch.get_num_threads(),
                        "backbone": self.backbone.identity,
                        "config_dirs": list(self.asked.config_dirs),
                        "data": self._data(),
                    },
                )
            self.job.place.check()
            begin(self.path, self.asked.values, self.asked.overrides)
            self.job.started = True
        kept = resumed.progress.metrics_bytes if resumed else 0
        self.recorder.open(MetricsLog(self.path / "metrics.jsonl", kept, self.job.place))

    def _data(self) -> dict[str, Any]:
        return describe_data(self.facts)

    def _check_same_data(self) -> None:
        """Raise `ConfigError` if a run that goes on would meet other rows than it was started with."""
        if not self.job.started:
            return
        old = {key: record.fingerprint for key, record in read_environment(self.path).data.items()}
        changed = [key for key, record in self._data().items() if old.get(key) != record["fingerprint"]]
        if changed:
            raise ConfigError(
                f"cannot resume {self.path}: the rows of {', '.join(changed)} are not those that it was started with."
            )

    def _evaluate(self) -> list[TaskScore]:
        self.outputs = {}
        found: list[TaskScore] = []
        observed: list[Observed] = []
        failed: RunError | None = None
        if self.zero:
            try:
                found = self._score(0)
                observed = observations(self.kinds, self.outputs, found)
            except RunError as error:  # the other processes wait for what was found
                failed = error
        if self.fabric.world_size > 1:
            found, observed, failed = self.fabric.broadcast((found, observed, failed))
        if failed:
            raise failed
        self.sampler.observe(observed)
        for line in undefined_lines(found):
            if line not in self.reported:
                self.reported.append(line)
                log.warning("%s", line)
        return found

    def _score(self, rounds: int, predictions: Path | None = None) -> list[TaskScore]:
        tasks = [Scored(n, self.kinds[n], self.builders.tasks[n].metrics, n, self.validation[n]) for n in self.kinds]
        tick = self.stop.check
        tokens, seed = self.config.eval.batch_tokens, self.config.seed
        scoring = Scoring(self.model, self.fabric, tokens, rounds, seed, tick, self.outputs)
        return score(tasks, scoring, predictions)

    def _best(self, step: int) -> Checkpoint:
        """The best checkpoint by its step: the link to it is a copy of what the state knows."""
        path = self.path / "checkpoints" / name_of(step)
        if not path.is_dir():
            raise RunError(
                f"the best checkpoint, {path}, has gone, so there is nothing to score. Put it back, or remove "
                f"{path.parent} and resume: the run is trained again."
            )
        return verified(path)

    def _finish(self, trained: Trained) -> None:
        """Score the best checkpoint with intervals, write predictions and summary; the summary last, since it marks the end."""
        if trained.best_step != trained.step:
            load_weights(self.model, self._best(trained.best_step))
            self.outputs = {}
        self.job.place.check()
        scores = self._score(self.config.eval.bootstrap, self.path / "predictions")
        speed = (
            {
                "examples_per_second": trained.rows / trained.seconds,
                "tokens_per_second": trained.tokens / trained.seconds,
            }
            if trained.seconds
            else {}
        )
        summary = {
            "status": "pruned" if trained.stopped_early and self.selector.pruned else "done",
            **summarised(scores),
            "steps": trained.step,
            "best_step": trained.best_step,
            "stopped_early": trained.stopped_early,
            "select": self.config.eval.select,
            "selected_by": self.selector.by,
            "split": "validation",
            "weights": as_written(self.config.weights),
            "seed": self.config.seed,
            "rows": {
                n: {"train": len(self.rows[n]), "validation": sum(len(s) - s.unlabelled for s in self.validation[n])}
                for n in self.kinds
            },
            "speed": speed,
            "training_seconds": round(trained.seconds, 3),
            "training_cpu_seconds": round(trained.cpu_seconds, 3),
            "seconds": round(time.time() - self.began, 3),
            "seconds_to_first_step": round(trained.first_step_at - process_start(), 3)
            if trained.first_step_at
            else None,
            "peak_memory_mib": peak_memory_mib(),
        }
        self.job.place.check()
        with explained(self.path):
            write_json(self.path / "summary.json", summary)
        if not self.config.checkpoint.keep_optimizer:
            self.checkpoints.drop_training_state()
        log.info(
            "%s",
            score_table(scores, f"best checkpoint: step {trained.best_step} of {trained.step}, by {self.selector.by}"),
        )
