"""What a weighting provides. Legend: K tasks of the run, P of them in the step; L_i the mean loss of task i over its rows of the step;
lambda_i the config's weight; g_i the gradient of lambda_i L_i with respect to N chosen shared parameters; J the [P, N] matrix of the g_i.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

RowDtype = Literal["float32", "bfloat16"]
BLOCK = 1 << 20
"""Columns of J that are widened to float32 at a time."""
CACHED = 1 << 15
"""Columns of a few rows that a processor's cache holds."""


@dataclass(frozen=True)
class Weighted:
    """What a step's backward pass came to."""

    losses_K: Tensor
    """L_i before weighting; NaN for a task without rows in the step."""
    weights_K: Tensor
    """What the gradient of L_i was multiplied by; NaN where a method has no such number."""
    penalty: Tensor | None = None
    """The sharing scheme's own term."""


@dataclass(frozen=True)
class Chosen:
    """Which parameters a method wants task gradients of, and how they are kept."""

    params: str | int
    """`all` shared ones; N: those of the highest N layers; `everything` (heads too); else a regular expression on names."""
    dtype: RowDtype = "float32"
    sparse: bool = True
    """Rows of an embedding table that no token of the step asks for may be left out of J: they are zero for every task."""


@dataclass(frozen=True)
class TaskGradients:
    """One row a task of the step."""

    index_P: tuple[int, ...]
    """Which of the K tasks each row belongs to."""
    losses_K: Tensor
    """As in `Weighted`."""
    matrix_PN: Tensor
    """J; its columns are in an order that one step keeps. The next call of `task_gradients` with the same choice writes over it."""
    beside_N: Tensor | None = None
    """Memory for a direction, float32; that call writes over it too."""

    def gramian(self) -> Tensor:
        """G = J J^T in float32, shape [P, P], a block of columns at a time so that narrow rows are never widened whole."""
        gramian = torch.zeros(len(self.index_P), len(self.index_P), device=self.matrix_PN.device)
        for at in range(0, self.matrix_PN.shape[1], CACHED):
            wide = self.matrix_PN[:, at : at + CACHED].float()
            gramian += wide @ wide.T
        return gramian


class StepPasses(Protocol):
    """The forward passes of one step, as a weighting sees them."""

    @property
    def present_P(self) -> tuple[int, ...]:
        """Which of the K tasks have rows in the step."""

    def accumulate(self, weights_K: Tensor) -> Weighted:
        """Add the gradient of sum_i weights_i L_i to each parameter's `.grad`, one forward pass at a time.

        For weights that are known before the losses: the memory of one pass is enough.
        """

    def forward(self) -> Tensor:
        """L_i as plain numbers, shape [K], NaN for a task without rows. The graphs of all passes are kept for `pull`."""

    def pull(self, weights_K: Tensor) -> Weighted:
        """Add the gradient of sum_i weights_i L_i of the last `forward` to `.grad`."""

    def again(self) -> Tensor:
        """L_i of the same rows at the parameters as they are now, shape [K], without graph."""

    def task_gradients(
        self, weights_K: Tensor, chosen: Chosen, *, others: bool = True, part: tuple[int, int] = (0, 1)
    ) -> TaskGradients:
        """g_i of each task with rows, by one forward and backward pass a task: K backward passes, never K^2.

        Args:
            weights_K: lambda_i.
            chosen: what J is over.
            others: add the plain gradient sum_i lambda_i L_i of all parameters that are not chosen, heads among them, to `.grad`.
            part: (j, n): look at the j-th of n disjoint parts of each task's rows, for methods that need independent batches.
        """

    def descend(self, chosen: Chosen, direction_N: Tensor) -> Tensor | None:
        """Set the chosen parameters' `.grad` to a direction in the columns of J; add the sharing scheme's own term and return it."""

    def moved(self, chosen: Chosen, step_N: Tensor) -> AbstractContextManager[None]:
        """Inside, the chosen parameters are further by a step in the columns of J."""


class BadStep(Exception):  # noqa: N818
    """A step that no method can use; the loop says so or passes over it, as configured.

    Args:
        subject: what is at fault, such as "loss".
        finding: what is wrong with it, such as "is nan".
        task: index of the task whose it is; None if it is no one task's.
    """

    def __init__(self, subject: str, finding: str, task: int | None = None) -> None:
        super().__init__(f"{subject} {finding}")
        self.subject, self.finding, self.task = subject, finding, task


class Weighting(ABC):
    """How K losses become one gradient.

    With a single task there is nothing to weigh: every method then does plain training.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights, in the same order.
    """

    needs_every_task = False
    """Whether each step must hold every task."""
    parts = 1
    """Into how many parts of at least one row each task's rows of a step are cut."""
    needs_evaluations = False
    """Whether the method lives on the scores of evaluations during training."""
    one_task_passes = False
    """Whether each forward pass should hold rows of one task alone."""
    scale_free = False
    """Whether multiplying L_i by lambda_i changes nothing, so that weights other than 1 would be a mistake."""
    chosen: Chosen | None = None
    """Which parameters J is over, for methods that need it."""

    def __init__(self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]]) -> None:
        self.names_K = tuple(names_K)
        self._lambdas = lambdas

    def lambdas_K(self, step: int) -> Tensor:
        """lambda_i of a step, shape [K]."""
        return torch.tensor(self._lambdas(step), dtype=torch.float32)

    def backward(self, passes: StepPasses, step: int) -> Weighted:
        """Leave the step's gradient in every parameter's `.grad`.

        Raises:
            BadStep: losses or gradients are not finite, or a method cannot use them; no state has changed.
        """
        if len(self.names_K) == 1:
            return passes.accumulate(self.lambdas_K(step))
        return self.weigh(passes, step)

    @abstractmethod
    def weigh(self, passes: StepPasses, step: int) -> Weighted:
        """`backward` for several tasks."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the method's own, trained beside the model's."""
        return iter(())

    def after_step(self, passes: StepPasses, step: int) -> None:
        """Called when the optimiser has moved; `passes` gives the losses at the new point."""

    def end_epoch(self) -> None:
        """Called after as many rows as all tasks have together."""

    def after_evaluation(self, scores_K: Sequence[float]) -> None:
        """Called with each task's score on its validation rows; higher is better."""

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs: tensors, and plain values that JSON can hold."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""


def finite(losses_K: Tensor, present_P: Sequence[int]) -> Tensor:
    """Losses of the tasks in the step, shape [P]. Raises `BadStep` if one is infinite or no number."""
    values_P = losses_K[list(present_P)]
    bad = (~values_P.isfinite()).nonzero().flatten().tolist()
    if bad:
        raise BadStep("loss", f"is {float(values_P[bad[0]])}", present_P[bad[0]])
    return values_P
