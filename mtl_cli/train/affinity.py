"""How a step on one task changes the loss of another one. Legend: K tasks, P of them in the step; N chosen shared parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mtl_cli.train.diagnose import Diagnostics, Look
from mtl_cli.weighting.base import StepPasses


@dataclass(frozen=True)
class AffinityLook(Look):
    """One look at the gradients of a step, and from where each of them leads to."""

    look_ahead: float
    """Learning rate of the step that looks ahead."""
    affinity_PP: tuple[tuple[float, ...], ...]
    """Row i, column j: Z_{i -> j}; NaN where a loss is not finite, or zero before the step."""

    def record(self, step: int) -> dict[str, Any]:
        """For metrics.jsonl."""
        affinity = {
            a: dict(zip(self.tasks_P, row, strict=True)) for a, row in zip(self.tasks_P, self.affinity_PP, strict=True)
        }
        return {**super().record(step), "look_ahead": self.look_ahead, "affinity": affinity}


@dataclass
class LookAheads(Diagnostics):
    """Diagnostics that look ahead too (TAG): Z_{i -> j} = 1 - L_j(theta - eta g_i) / L_j(theta).

    Fifty et al. 2021, "Efficiently identifying task groupings for multi-task learning": the step is on shared parameters alone,
    and all losses are those of the same rows. All of them see the same dropout, so that two losses differ by the step alone.
    Like any look this one changes nothing. It costs K + 1 forward passes of the whole step more.

    Args:
        look_ahead: eta, above 0.
    """

    look_ahead: float = field(kw_only=True)

    def look(self, passes: StepPasses, lambdas_K: Tensor) -> AffinityLook:
        """Losses of all tasks after a step on each."""
        with torch.random.fork_rng():
            gradients = passes.task_gradients(lambdas_K, self.chosen, others=False)
        plain = self.looked(gradients, lambdas_K)
        index_P = list(gradients.index_P)
        losses_P = _losses(passes)[index_P]
        rows = []
        for p in range(len(index_P)):
            with passes.moved(self.chosen, -self.look_ahead * gradients.matrix_PN[p]):
                rows.append(_losses(passes)[index_P])
        affinity_PP = 1 - torch.stack(rows) / losses_P
        affinity_PP[~affinity_PP.isfinite()] = torch.nan
        ahead = tuple(tuple(row) for row in affinity_PP.tolist())
        return AffinityLook(
            plain.tasks_P, plain.losses_P, plain.lambdas_P, plain.norms_P, plain.shares_P, plain.cosines_PP,
            self.look_ahead, ahead,
        )  # fmt: skip


def _losses(passes: StepPasses) -> Tensor:
    """L_i, shape [K], with the same draws each time."""
    with torch.random.fork_rng():
        return passes.again().double().cpu()
