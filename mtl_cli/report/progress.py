"""Progress on standard error: a bar on a terminal, plain `key=value` lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

Style = Literal["auto", "bar", "lines", "none"]


class Progress(Protocol):
    """A display of a training run."""

    def start(self) -> None:
        """Begin."""

    def step(self, step: int, losses: Mapping[str, float], rows: int) -> None:
        """One step is done."""

    def train(self, record: Mapping[str, Any]) -> None:
        """A training record was written."""

    def evaluation(self, step: int, scores: Mapping[str, float], mean: float, best: bool) -> None:
        """The validation sets were scored."""

    def stop(self) -> None:
        """End."""


def make_progress(style: Style, steps: int, names: Sequence[str]) -> Progress:
    """The display that a style asks for; `auto` is a bar if standard error is a terminal."""
    if style == "none":
        return _Silent()
    if style == "bar" or (style == "auto" and sys.stderr.isatty()):
        return _Bar(steps, names)
    return _Lines(steps)


class _Silent:
    def start(self) -> None: ...

    def step(self, step: int, losses: Mapping[str, float], rows: int) -> None: ...

    def train(self, record: Mapping[str, Any]) -> None: ...

    def evaluation(self, step: int, scores: Mapping[str, float], mean: float, best: bool) -> None: ...

    def stop(self) -> None: ...


class _Lines(_Silent):
    """A line about every tenth of the run and one an evaluation."""

    def __init__(self, steps: int) -> None:
        self._steps, self._every, self._next = steps, max(1, steps // 10), 0
        self._began, self._first = 0.0, 0

    def step(self, step: int, losses: Mapping[str, float], rows: int) -> None:  # noqa: ARG002
        if not self._began:
            self._began, self._first = time.monotonic(), step

    def train(self, record: Mapping[str, Any]) -> None:
        step = record["step"]
        if step < self._next:
            return
        self._next = step + self._every
        losses = " ".join(f"{name}={value:.4f}" for name, value in record["losses"].items())
        speed = record["speed"].get("examples_per_second", 0.0)
        done = step - self._first
        left = (time.monotonic() - self._began) / done * (self._steps - step) if done else 0.0
        # Some weightings have no weights, and so no total.
        total = f"loss={record['loss']:.4f} " if "loss" in record else ""
        _say(f"step={step}/{self._steps} {total}{losses} examples_per_s={speed:.1f} eta_s={left:.0f}")

    def evaluation(self, step: int, scores: Mapping[str, float], mean: float, best: bool) -> None:
        _say(_scores(step, self._steps, scores, mean, best))


def _scores(step: int, steps: int, scores: Mapping[str, float], mean: float, best: bool) -> str:
    listed = " ".join(f"{name}={value:.4f}" for name, value in scores.items())
    return f"eval step={step}/{steps} mean={mean:.4f} {listed}{' best' if best else ''}"


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class _Bar(_Silent):
    """A bar with smoothed losses, examples a second and the time left."""

    def __init__(self, steps: int, names: Sequence[str]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._smooth: dict[str, float] = {}
        self._names, self._steps = names, steps
        self._rows, self._last, self._speed = 0, time.monotonic(), 0.0
        console = Console(stderr=True)
        self._bar = RichProgress(
            MofNCompleteColumn(), BarColumn(bar_width=20), TimeRemainingColumn(), TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[losses]}"), console=console, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("train", total=steps, losses="", speed="")

    def start(self) -> None:
        self._bar.start()

    def step(self, step: int, losses: Mapping[str, float], rows: int) -> None:
        for name, loss in losses.items():
            self._smooth[name] = loss if name not in self._smooth else 0.9 * self._smooth[name] + 0.1 * loss
        now = time.monotonic()
        speed = rows / max(1e-9, now - self._last)
        self._speed = speed if not self._speed else 0.9 * self._speed + 0.1 * speed
        self._last = now
        shown = " ".join(f"{name} {self._smooth[name]:.3f}" for name in self._names if name in self._smooth)
        self._bar.update(self._task, completed=step, losses=shown, speed=f"{self._speed:.0f} ex/s")

    def evaluation(self, step: int, scores: Mapping[str, float], mean: float, best: bool) -> None:
        self._bar.console.print(_scores(step, self._steps, scores, mean, best), highlight=False)
        self._last = time.monotonic()

    def stop(self) -> None:
        self._bar.stop()
