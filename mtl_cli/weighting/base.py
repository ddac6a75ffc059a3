"""What a weighting provides. Legend: K tasks; L_i the mean loss of task i over its rows of the step; lambda_i its weight."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Weighted:
    """What a step's backward pass came to."""

    losses_K: Tensor
    """L_i before weighting; NaN for a task without rows in the step."""
    weights_K: Tensor
    """lambda_i that the gradient of L_i was multiplied by."""
    penalty: Tensor | None
    """The sharing scheme's own term."""


class StepPasses(Protocol):
    """The forward passes of one step, as a weighting sees them."""

    def accumulate(self, weights_K: Tensor) -> Weighted:
        """Add the gradient of sum_i weights_i L_i to each parameter's `.grad`, one forward pass at a time.

        For weights that are known before the losses: the memory of one pass is enough.
        """

    def losses(self) -> Tensor:
        """L_i with their graph, shape [K], over all passes at once; NaN without graph for a task that has no rows."""

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a scalar made of `losses` to each parameter's `.grad`."""


class Weighting(ABC):
    """How K losses become one gradient.

    Args:
        names_K: names of the tasks.
        lambdas_K: the config's weights, in the same order.
    """

    needs_every_task = False
    """Whether each step must hold every task."""

    def __init__(self, names_K: Sequence[str], lambdas_K: Sequence[float]) -> None:
        self.names_K = tuple(names_K)
        self.lambdas_K = tuple(lambdas_K)

    @abstractmethod
    def backward(self, passes: StepPasses, step: int) -> Weighted:
        """Leave the step's gradient in every parameter's `.grad`."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the method's own, trained beside the model's."""
        return iter(())

    def after_step(self, passes: StepPasses, step: int) -> None:
        """Called when the optimiser has moved; `passes` gives the losses at the new point."""

    def end_epoch(self) -> None:
        """Called after as many rows as all tasks have together."""

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs, tensors and plain values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
