"""Methods that need independent batches: each task's rows of a step are cut into three parts."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from mtl_cli.weighting.base import BLOCK, StepPasses, Weighted, finite
from mtl_cli.weighting.gradient import TaskGradientWeighting, alive, combine


class IndependentWeighting(TaskGradientWeighting):
    """w from J_1 J_2^T of two parts of each task's rows; d = m J_3^T w of the third. No row goes through the model twice.

    The papers draw three batches; a third of a step's rows each gives independent estimates at the cost of one step.
    """

    needs_every_task = True
    parts = 3

    def weigh(self, passes: StepPasses, step: int) -> Weighted:
        """Three parts, one after another."""
        lambdas_K = self.lambdas_K(step)
        losses: list[Tensor] = []
        kept: list[Tensor] = []
        for part in range(3):
            gradients = passes.task_gradients(lambdas_K, self._chosen, part=(part, 3))
            finite(gradients.losses_K, gradients.index_P)
            rows = alive(gradients, lambdas_K)
            losses.append(gradients.losses_K)
            # The next part is written over this one.
            kept.append(gradients.matrix_PN.clone() if part < 2 else gradients.matrix_PN)
        crossed_PP = torch.zeros(len(kept[0]), len(kept[0]), device=kept[0].device)
        for at in range(0, kept[0].shape[1], BLOCK):
            crossed_PP += kept[0][:, at : at + BLOCK].float() @ kept[1][:, at : at + BLOCK].float().T
        at_Q = list(rows.at_Q)
        weights_P = rows.spread(rows.count * self.independent_weights(crossed_PP[at_Q][:, at_Q].cpu()))
        penalty = passes.descend(self._chosen, combine(kept[2], weights_P))
        weights_K = lambdas_K.to(weights_P.device, copy=True)
        weights_K[list(passes.present_P)] *= weights_P
        return Weighted(torch.stack(losses).mean(0), weights_K, penalty)

    @abstractmethod
    def independent_weights(self, crossed_QQ: Tensor) -> Tensor:
        """w from J_1 J_2^T of the rows that take part, on the CPU, shape [Q]."""
