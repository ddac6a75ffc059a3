"""How the tasks' gradients get on with one another, under any weighting. Legend: K tasks, P of them in the step; g_i the gradient of
lambda_i L_i with respect to some shared layers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mtl_cli.weighting.base import Chosen, StepPasses, TaskGradients

HELD = 0.9
"""A task with more than this share of the gradient is named."""
LOOKS = 5
"""So many looks before a pair is said to conflict throughout, or a task to hold the gradient."""


@dataclass(frozen=True)
class Look:
    """One look at the gradients of a step."""

    tasks_P: tuple[str, ...]
    losses_P: tuple[float, ...]
    lambdas_P: tuple[float, ...]
    norms_P: tuple[float, ...]
    """Lengths of the g_i."""
    shares_P: tuple[float, ...]
    """Length of g_i over the sum of all lengths."""
    cosines_PP: tuple[tuple[float, ...], ...]
    """NaN where a gradient is zero."""

    def record(self, step: int) -> dict[str, Any]:
        """For metrics.jsonl."""

        def named(values: Sequence[float]) -> dict[str, float]:
            return {name: v for name, v in zip(self.tasks_P, values, strict=True) if math.isfinite(v)}

        return {
            "event": "gradients",
            "step": step,
            "losses": named(self.losses_P),
            "weighted_losses": named([a * b for a, b in zip(self.losses_P, self.lambdas_P, strict=True)]),
            "lambdas": named(self.lambdas_P),
            "norms": named(self.norms_P),
            "shares": named(self.shares_P),
            "cosines": {f"{a}/{b}": cosine for a, b, cosine in self.pairs() if math.isfinite(cosine)},
        }

    def pairs(self) -> Iterator[tuple[str, str, float]]:
        """Each pair of tasks and its cosine."""
        for i, j in itertools.combinations(range(len(self.tasks_P)), 2):
            yield self.tasks_P[i], self.tasks_P[j], self.cosines_PP[i][j]


@dataclass
class _Count:
    looks: int = 0
    hits: int = 0


@dataclass
class Diagnostics:
    """Looks at the gradients every so many steps. A look changes nothing: neither gradients nor random draws.

    Args:
        names_K: names of the tasks.
        every: steps between looks.
        chosen: of which parameters; few high layers are cheap, since the backward pass ends below them.
    """

    names_K: tuple[str, ...]
    every: int
    chosen: Chosen
    _held: dict[str, _Count] = field(default_factory=dict)
    _conflicts: dict[str, _Count] = field(default_factory=dict)

    def due(self, step: int) -> bool:
        """Whether to look at a step."""
        return step % self.every == 0

    def look(self, passes: StepPasses, lambdas_K: Tensor) -> Look:
        """One forward pass a task, and a backward pass down to the chosen layers."""
        with torch.random.fork_rng():
            gradients = passes.task_gradients(lambdas_K, self.chosen, others=False)
        return self.looked(gradients, lambdas_K)

    def looked(self, gradients: TaskGradients, lambdas_K: Tensor) -> Look:
        """What gradients are like that are there already."""
        gramian_PP = gradients.gramian().double().cpu()
        norms_P = gramian_PP.diagonal().clamp(min=0).sqrt()
        cosines_PP = gramian_PP / torch.outer(norms_P, norms_P)
        index_P = list(gradients.index_P)
        return Look(
            tuple(self.names_K[k] for k in index_P),
            tuple(gradients.losses_K[index_P].tolist()),
            tuple(lambdas_K[index_P].tolist()),
            tuple(norms_P.tolist()),
            tuple((norms_P / norms_P.sum()).tolist()) if float(norms_P.sum()) else (0.0,) * len(index_P),
            tuple(tuple(row) for row in cosines_PP.tolist()),
        )

    def warnings(self, look: Look) -> Iterator[tuple[str, str]]:
        """What has held in every look so far, from the fifth on: a key to say it once by, and the words."""
        for task, share in zip(look.tasks_P, look.shares_P, strict=True):
            if len(look.tasks_P) > 1 and _always(self._held, task, share > HELD):
                text = (
                    f"task '{task}' holds more than {HELD:.0%} of the gradient (now {share:.0%}): the others hardly count. "
                    f"Lower weights.{task}, or try weighting=uncertainty or weighting=pcgrad."
                )
                yield f"held {task}", text
        for a, b, cosine in look.pairs():
            if _always(self._conflicts, f"{a}/{b}", cosine < 0):
                text = (
                    f"tasks '{a}' and '{b}' conflict throughout: the cosine of their gradients was below 0 in every look (now "
                    f"{cosine:.2f}). Try weighting=pcgrad or weighting=upgrad, or groups of their own: mtl affinity."
                )
                yield f"conflict {a}/{b}", text

    def state_dict(self) -> dict[str, Any]:
        """For a resumed run."""
        return {
            name: {key: [count.looks, count.hits] for key, count in counts.items()}
            for name, counts in (("held", self._held), ("conflicts", self._conflicts))
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._held = {key: _Count(*count) for key, count in state["held"].items()}
        self._conflicts = {key: _Count(*count) for key, count in state["conflicts"].items()}


def _always(counts: dict[str, _Count], key: str, hit: bool) -> bool:
    count = counts.setdefault(key, _Count())
    count.looks += 1
    count.hits += hit
    return count.looks >= LOOKS and count.hits == count.looks
