"""What a stepper provides: one step from rows to changed parameters. Legend: L_i loss of task i."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mtl_cli.train.diagnose import Look


@dataclass(frozen=True)
class StepRecord:
    """What one step was like."""

    losses: Mapping[str, float]
    """L_i of each task in the step."""
    weights: Mapping[str, float]
    """Of each task; NaN where a method has no such number."""
    penalty: float
    """The sharing scheme's own term."""
    norm: float
    """Length of the gradient before clipping."""
    rows: int
    tokens: int
    """Without padding; both over all processes."""


class UnusableStep(Exception):  # noqa: N818
    """A step that changed nothing, since its losses or gradients are none that a method could use.

    Args:
        subject: what is at fault, such as "loss".
        finding: what is wrong with it, such as "is nan".
        task: whose it is; None if it is no one task's.
        rows: numbers of the task's training rows at which it shows; empty where it is not known, or shows at all.
    """

    def __init__(self, subject: str, finding: str, task: str | None, rows: Sequence[int] = ()) -> None:
        super().__init__(f"{subject} {finding}")
        self.subject, self.finding, self.task, self.rows = subject, finding, task, tuple(rows)


@dataclass(frozen=True)
class StepperState:
    """What a checkpoint holds of a stepper."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


Looked = Callable[[Look, Sequence[tuple[str, str]]], None]
"""Hears of a look at the gradients, and of what is to be warned of: a key to say it once by, and the words."""


class Stepper(ABC):
    """Draws the rows of a step, computes gradients and updates the parameters."""

    @abstractmethod
    def step(self, step: int, looked: Looked) -> StepRecord:
        """Do one step; they are asked for in order, from 0 or from where the state was saved.

        Args:
            step: its number.
            looked: is called before the step if it is one that diagnostics look at.

        Raises:
            UnusableStep: parameters and optimiser are as they were.
        """

    @abstractmethod
    def lr(self, step: int) -> float:
        """The highest learning rate of any parameter at a step."""

    @abstractmethod
    def end_epoch(self) -> None:
        """As many rows were drawn as all tasks have together."""

    @abstractmethod
    def after_evaluation(self, values: Sequence[float]) -> None:
        """The scores of the validation sets, one a task that has one."""

    @abstractmethod
    def state_dict(self) -> StepperState:
        """Everything that later steps depend on, beside the model and the generators."""

    @abstractmethod
    def load_state_dict(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Go on from a saved state; both may hold more than is its own."""
