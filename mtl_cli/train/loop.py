"""The loop: steps, records, evaluations, checkpoints. Knows no task, weighting or sampler by name."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor

from mtl_cli.errors import Interrupted, RunError
from mtl_cli.metrics.scorer import TaskScore
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.tasks.kinds.base import Kind
from mtl_cli.threads import Contention
from mtl_cli.train.diagnose import Look
from mtl_cli.train.meter import Meter, drowning
from mtl_cli.train.select import Selector
from mtl_cli.train.state import generator_state, load_generators
from mtl_cli.train.step.base import Stepper, StepRecord, UnusableStep

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How long, and what happens at which step."""

    steps: int
    epoch_steps: int
    """Steps that draw as many rows as all tasks have together."""
    log_every: int
    eval_every: int
    save_every: int | None
    """None: at each evaluation."""
    bad_step: Literal["error", "skip"]
    """What to do with a step whose losses or gradients no method can use."""


@dataclass(frozen=True)
class State:
    """What a checkpoint of the loop holds, beside the encoder's own folder."""

    model: dict[str, Tensor]
    training: dict[str, Tensor]
    values: dict[str, Any]


class Recorder(Protocol):
    """Where the loop writes; the recipe provides it."""

    def train(self, record: dict[str, Any]) -> None:
        """A training record."""

    def gradients(self, record: dict[str, Any]) -> None:
        """What the tasks' gradients are like at one step."""

    def evaluation(self, step: int, scores: Sequence[TaskScore], best: bool) -> None:
        """Scores of the validation sets."""

    def progress(self, step: int, losses: Mapping[str, float], rows: int) -> None:
        """One step is done."""

    def save(self, step: int, state: State, *, best: bool) -> None:
        """Keep a checkpoint."""


class Stop:
    """Set by a signal; looked at between steps."""

    signal_number: int | None = None

    def check(self) -> None:
        """Raise `StopNow` if a signal has come."""
        if self.signal_number is not None:
            raise StopNow


class StopNow(Exception):  # noqa: N818
    """Unwinds an evaluation when a signal has come."""


@dataclass
class Trained:
    """What a run came to."""

    step: int
    best_step: int
    stopped_early: bool
    rows: int = 0
    tokens: int = 0
    """Rows and real tokens since this process started."""
    seconds: float = 0.0
    """Time in training steps since this process started."""
    cpu_seconds: float = 0.0
    """Processor time in them, over all threads."""
    first_step_at: float = field(default=0.0)
    """When the first optimiser step was done, by time.time()."""


class Loop:
    """Trains a model.

    Args:
        model: on its device, in training mode.
        kinds: of the tasks.
        stepper: does a step.
        evaluate: scores the validation sets; may raise `StopNow`.
        selector: which evaluation is best.
        recorder: where things are written; called on the first process alone.
        settings: how long and when.
        fabric: processes.
        stop: set by signals.
    """

    def __init__(
        self,
        *,
        model: MultiTaskModel,
        kinds: Mapping[str, Kind],
        stepper: Stepper,
        evaluate: Callable[[], list[TaskScore]],
        selector: Selector,
        recorder: Recorder,
        settings: Settings,
        fabric: Fabric,
        stop: Stop,
    ) -> None:
        self._model, self._kinds, self._stepper = model, kinds, stepper
        self._evaluate, self._selector, self._recorder = evaluate, selector, recorder
        self._settings, self._fabric, self._stop = settings, fabric, stop
        self._step = 0
        self._evaluated = 0
        self._meter = Meter(tuple(kinds))
        self._warned: list[str] = []
        self._done = Trained(0, -1, stopped_early=False)
        self._interval = (0, 0, 0.0)
        self._saved = -1
        # Not kept in checkpoints: a run may be resumed beside other programs. Processes of one run would take each other for those.
        self._contention = Contention(torch.get_num_threads() if fabric.world_size == 1 else 1)

    def run(self) -> Trained:
        """Train from the current step to the end.

        Raises:
            RunError: a loss or gradient is not finite; names task and step.
            Interrupted: a signal came; the state is saved.
        """
        settings = self._settings
        try:
            # A run that was stopped between a step and its evaluation owes that evaluation.
            self._evaluate_if_due()
            while self._step < settings.steps and not self._selector.stop:
                self._one_step()
                self._stop.check()
                self._evaluate_if_due()
        except StopNow:
            self._save(best=False)
            number = self._stop.signal_number or 2
            raise Interrupted(f"stopped at step {self._step} of {settings.steps}, state saved", number) from None
        self._done.step, self._done.best_step = self._step, self._selector.best_step
        self._done.stopped_early = self._step < settings.steps
        return self._done

    def _one_step(self) -> None:
        began, cpu_began = time.perf_counter(), time.process_time()
        try:
            record = self._stepper.step(self._step, self._looked)
        except UnusableStep as bad:
            self._pass_over(bad)
        else:
            self._step += 1
            self._done.cpu_seconds += time.process_time() - cpu_began
            self._note(record, time.perf_counter() - began)
        if self._step % self._settings.epoch_steps == 0:
            self._stepper.end_epoch()
        if self._step % self._settings.log_every == 0 or self._step == self._settings.steps:
            self._record()

    def _pass_over(self, bad: UnusableStep) -> None:
        """Go on without this step, or stop, as configured."""
        whose = f"the {bad.subject} of task '{bad.task}'" if bad.task else f"the {bad.subject}"
        at = f" at {_row_list(bad.rows)} of train" if bad.rows else ""
        if self._settings.bad_step == "error":
            data = f", or look at the data of '{bad.task}'" if bad.task else ""
            raise RunError(
                f"step {self._step + 1}: {whose} {bad.finding}{at}. The last checkpoint stays as it is. "
                f"Lower optim.lr, set optim.clip_norm, use fabric.precision=32-true{data}; optim.bad_step=skip skips such steps. "
                f"To look into it: mtl check, with the words of this run and step={self._step + 1}."
            ) from bad
        self._step += 1
        self._meter.skipped += 1
        if "bad step" not in self._warned:
            self._warned.append("bad step")
            log.warning(
                "step %d: %s %s%s; this step is skipped (optim.bad_step=skip), as are all others like it",
                self._step,
                whose,
                bad.finding,
                at,
            )

    def _looked(self, look: Look, warnings: Sequence[tuple[str, str]]) -> None:
        for key, text in warnings:
            if key not in self._warned:
                self._warned.append(key)
                log.warning("%s", text)
        if self._fabric.is_global_zero:
            self._recorder.gradients(look.record(self._step + 1))

    def _note(self, record: StepRecord, seconds: float) -> None:
        done, rows, tokens = self._done, record.rows, record.tokens
        if not done.seconds:
            done.first_step_at = time.time()
        done.rows, done.tokens, done.seconds = done.rows + rows, done.tokens + tokens, done.seconds + seconds
        self._interval = (self._interval[0] + rows, self._interval[1] + tokens, self._interval[2] + seconds)
        self._meter.add(record.losses, record.weights, record.penalty, record.norm)
        if self._fabric.is_global_zero:
            self._recorder.progress(self._step, dict(record.losses), rows)

    def _record(self) -> None:
        means = self._meter.means()
        for name, ratio in drowning(means["weighted_losses"]):
            if name not in self._warned:
                self._warned.append(name)
                log.warning(
                    "the weighted loss of task '%s' is %.0f times the median of the others: it drowns them. "
                    "Lower weights.%s, or scale its targets.",
                    name,
                    ratio,
                    name,
                )
        if contended := self._contention.look():
            log.warning("%s", contended)
        rows, tokens, seconds = self._interval
        speed = {"examples_per_second": rows / seconds, "tokens_per_second": tokens / seconds} if seconds else {}
        if self._fabric.is_global_zero:
            self._recorder.train(
                {
                    "event": "train",
                    "step": self._step,
                    "epoch": round(self._step / self._settings.epoch_steps, 4),
                    "lr": self._stepper.lr(self._step - 1),
                    **means,
                    "speed": speed,
                }
            )
        self._meter.reset()
        self._interval = (0, 0, 0.0)

    def _evaluate_if_due(self) -> None:
        settings = self._settings
        last = self._step == settings.steps
        if self._step and self._step != self._evaluated and (last or self._step % settings.eval_every == 0):
            scores = self._evaluate()
            self._stop.check()
            self._stepper.after_evaluation([s.value for s in scores])
            best = self._selector.update(scores, self._step)
            self._evaluated = self._step
            if self._fabric.is_global_zero:
                self._recorder.evaluation(self._step, scores, best)
            if settings.save_every is None or best or last or self._selector.stop:
                self._save(best=best)
                return
        if settings.save_every and self._step and self._step % settings.save_every == 0 and self._step != self._saved:
            self._save(best=False)

    def _save(self, *, best: bool) -> None:
        self._saved = self._step
        if self._fabric.is_global_zero:
            self._recorder.save(self._step, self.state(), best=best)
        self._fabric.barrier()

    def state(self) -> State:
        """Everything a resumed run needs."""
        generators, plain_generators = generator_state()
        stepper = self._stepper.state_dict()
        values = {
            "step": self._step,
            "evaluated": self._evaluated,
            "selector": self._selector.state_dict(),
            "meter": self._meter.state_dict(),
            "warned": self._warned,
            "generators": plain_generators,
            "kinds": {name: kind.state() for name, kind in self._kinds.items()},
            **stepper.values,
        }
        return State(self._model.state_beyond_encoder(), {**stepper.tensors, **generators}, values)

    def load(self, training: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Go on from a saved state; the model's own tensors are loaded already."""
        self._step, self._evaluated, self._warned = values["step"], values["evaluated"], list(values["warned"])
        self._saved = self._step
        self._selector.load_state_dict(values["selector"])
        self._meter.load_state_dict(values["meter"])
        self._stepper.load_state_dict(training, values)
        load_generators(training, values["generators"])
        if self._fabric.global_rank:
            # The first process's generators were saved: the others must not draw the same dropout.
            torch.manual_seed(torch.initial_seed() + 7919 * self._fabric.global_rank + self._step)


def _row_list(rows: Sequence[int]) -> str:
    """Numbers of rows in a message."""
    listed = ", ".join(map(str, rows[:8]))
    return f"{'row' if len(rows) == 1 else 'rows'} {listed}{', ...' if len(rows) > 8 else ''}"
