"""Methods that make one scalar of the losses. Legend as in `base`; v_i = lambda_i L_i."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

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


def positive(losses_P: Tensor, present_P: list[int]) -> Tensor:
    """The losses, for a method that takes their logarithm.

    Raises:
        BadStep: a loss is not above 0.
    """
    for loss, k in zip(losses_P.tolist(), present_P, strict=True):
        if loss <= 0:
            raise BadStep("loss", f"is {loss}, and this weighting takes its logarithm", k)
    return losses_P
