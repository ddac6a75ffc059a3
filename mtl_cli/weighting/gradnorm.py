"""GradNorm."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl_cli.weighting.base import BadStep, RowDtype, StepPasses, Weighted, finite
from mtl_cli.weighting.gradient import TaskGradientWeighting, alive, combine

LEAST = 1e-3
"""Weights stay above it: a negative one would make a task worse on purpose."""


class GradNorm(TaskGradientWeighting):
    """sum_i w_i v_i; w follows the gradient of sum_i | |w_i g_i| - mean_j |w_j g_j| r_i^alpha | (Chen et al. 2018, algorithm 1).

    r_i = (L_i / L_i(0)) over its mean; L_i(0) is the loss in the task's first step. g_i is taken with respect to `params`, in the paper
    the last shared layer. Since w is known before the step, task i's backward pass of w_i v_i gives both the gradient that is used and,
    on that layer, its norm: no second backward.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        alpha: how strongly slow tasks are favoured; 0 makes all norms equal.
        lr: rate of the Adam that moves w.
    """

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        alpha: float,
        lr: float,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        if not (0 <= alpha < math.inf and 0 <= lr < math.inf):
            raise ValueError(f"alpha and lr must be finite, and 0 or more; found {alpha}, {lr}")
        self._alpha = alpha
        # One parameter a task, so that a step without a task leaves its moments alone.
        self._w_K = [torch.nn.Parameter(torch.ones(())) for _ in names_K]
        self._adam = torch.optim.Adam(self._w_K, lr=lr)
        self._first_K = torch.full((len(names_K),), torch.nan)

    def weigh(self, passes: StepPasses, step: int) -> Weighted:
        """A forward and a backward pass a task; w moves for the next step."""
        lambdas_K = self.lambdas_K(step)
        weights_K = lambdas_K * torch.stack([w.detach() for w in self._w_K])
        gradients = passes.task_gradients(weights_K, self._chosen)
        losses_P = finite(gradients.losses_K, gradients.index_P).cpu()
        rows = alive(gradients, lambdas_K)
        ones_P = torch.ones(len(gradients.index_P), device=gradients.matrix_PN.device)
        at = list(gradients.index_P)
        first_K = self._first_K.clone()
        first_K[at] = torch.where(first_K[at].isnan(), losses_P, first_K[at])
        first_Q = first_K[list(rows.tasks_Q)]
        if not bool((first_Q > 0).all()):
            task = rows.tasks_Q[int(first_Q.argmin())]
            raise BadStep("loss", f"is {float(first_Q.min())} in its first step, and GradNorm divides by it", task)
        penalty = passes.descend(self._chosen, combine(gradients.matrix_PN, ones_P))
        self._first_K = first_K
        self._move(rows.tasks_Q, rows.gramian_QQ.diagonal().sqrt(), rows.losses_Q.cpu() / first_Q)
        return Weighted(gradients.losses_K, weights_K, penalty)

    def _move(self, tasks_Q: Sequence[int], norms_Q: Tensor, ratios_Q: Tensor) -> None:
        """One Adam step on w, then these tasks' w sum to what they did, so that the sum over all stays K."""
        moving = [self._w_K[k] for k in tasks_Q]
        before = torch.stack([w.detach() for w in moving]).sum()
        targets_Q = norms_Q.mean() * (ratios_Q / ratios_Q.mean()).pow(self._alpha)
        for k, norm, target in zip(tasks_Q, norms_Q.tolist(), targets_Q.tolist(), strict=True):
            w = self._w_K[k]
            # d/dw |w n - target|, n = norm / w the gradient's norm without w.
            w.grad = torch.tensor(norm / float(w.detach()) * ((norm > target) - (norm < target)))
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        with torch.no_grad():
            clamped_Q = torch.stack([w.detach() for w in moving]).clamp(min=LEAST)
            for w, value in zip(moving, clamped_Q * before / clamped_Q.sum(), strict=True):
                w.copy_(value)

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """None: w has an Adam of its own."""
        return iter(())

    def state_dict(self) -> dict[str, Any]:
        """w, the first losses and Adam's moments."""
        moments = self._adam.state_dict()["state"]
        return {
            "w": torch.stack([w.detach() for w in self._w_K]),
            "first": self._first_K,
            **{f"adam.{k}.{name}": value for k, entry in moments.items() for name, value in entry.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        with torch.no_grad():
            for w, value in zip(self._w_K, state["w"], strict=True):
                w.copy_(value)
        self._first_K = state["first"].clone()
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            if key.startswith("adam."):
                _, k, name = key.split(".", 2)
                moments.setdefault(int(k), {})[name] = value.clone()
        self._adam.load_state_dict({"state": moments, "param_groups": self._adam.state_dict()["param_groups"]})
