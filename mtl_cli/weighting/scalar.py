"""Methods that make one scalar of the losses. Legend as in `base`; v_i = lambda_i L_i."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtl_cli.weighting.base import BadStep, StepPasses, Weighted, Weighting, finite


class Scalarised(Weighting):
    """The loss is S(v_1, ..., v_P); its gradient is sum_i dS/dL_i grad L_i, so dS/dL_i is the weight that is used and recorded.

    S is differentiated with respect to P numbers, not through the model: it may be anything, runs once over all processes' losses,
    and reaches the method's own parameters by the same backward.
    """

    def weigh(self, passes: StepPasses, step: int) -> Weighted:
        """All forward passes, S, one backward pass."""
        losses_K = passes.forward()
        present = list(passes.present_P)
        # P numbers: on the CPU, where the method's own parameters are.
        losses_P = finite(losses_K, present).detach().cpu().requires_grad_()
        with torch.enable_grad():
            scalar = self.scalar(losses_P, self.lambdas_K(step)[present], present, step)
        scalar.backward()  # type: ignore[no-untyped-call]
        assert losses_P.grad is not None
        weights_K = torch.zeros_like(losses_K)
        weights_K[present] = losses_P.grad.to(weights_K.device)
        return passes.pull(weights_K)

    @abstractmethod
    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:
        """S.

        Args:
            losses_P: L_i of the tasks in the step.
            lambdas_P: their lambda_i.
            present_P: which of the K tasks they are.
            step: from 0.
        """


class LearnedScalars(Scalarised):
    """A scalar a task that is trained beside the model.

    Each task has an object of TorchJD's of its own, so that the optimiser's moments of a task that is absent from a step stay as they are.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        make: makes the object of one task: v_i [1] -> its term of the sum.
    """

    def __init__(
        self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]], make: Callable[[], nn.Module]
    ) -> None:
        super().__init__(names_K, lambdas)
        self._tasks = nn.ModuleList(make() for _ in names_K)

    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:  # noqa: ARG002
        """The sum over the tasks of the step."""
        values_P = lambdas_P * losses_P
        return torch.stack([self._tasks[k](values_P[i : i + 1]) for i, k in enumerate(present_P)]).sum()

    def parameters(self) -> Iterator[nn.Parameter]:
        """s_i."""
        return self._tasks.parameters()

    def state_dict(self) -> dict[str, Any]:
        """s_i."""
        return dict(self._tasks.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._tasks.load_state_dict(dict(state))


def positive(losses_P: Tensor, present_P: list[int]) -> Tensor:
    """The losses, for a method that takes their logarithm.

    Raises:
        BadStep: a loss is not above 0.
    """
    for loss, k in zip(losses_P.tolist(), present_P, strict=True):
        if loss <= 0:
            raise BadStep("loss", f"is {loss}, and this weighting takes its logarithm", k)
    return losses_P
