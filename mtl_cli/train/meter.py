"""Means between two training records, and the check for a task whose loss drowns the others. Legend: K tasks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Meter:
    """Sums since the last record; part of a checkpoint, so that a resumed run writes the same records."""

    names: Sequence[str]
    steps: int = 0
    loss_sums: dict[str, float] = field(default_factory=dict)
    weight_sums: dict[str, float] = field(default_factory=dict)
    weighted_sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """Steps in which each task had rows."""
    weighed: dict[str, int] = field(default_factory=dict)
    """Those of them in which it had a weight: some methods have no such number."""
    total: float = 0.0
    norm: float = 0.0
    skipped: int = 0
    """Steps that were passed over."""

    def add(self, losses: Mapping[str, float], weights: Mapping[str, float], penalty: float, norm: float) -> None:
        """Take in one step; tasks without rows are not in `losses`, and a weight may be NaN."""
        self.steps += 1
        self.norm += norm
        self.total += penalty
        for name, loss in losses.items():
            self.loss_sums[name] = self.loss_sums.get(name, 0.0) + loss
            self.counts[name] = self.counts.get(name, 0) + 1
            if math.isfinite(weights[name]):
                self.weighed[name] = self.weighed.get(name, 0) + 1
                self.weight_sums[name] = self.weight_sums.get(name, 0.0) + weights[name]
                self.weighted_sums[name] = self.weighted_sums.get(name, 0.0) + weights[name] * loss
                self.total += weights[name] * loss

    def means(self) -> dict[str, Any]:
        """Mean loss, weight and weighted loss of each task over the steps it was in; mean total and gradient norm over all steps.

        The total, sum_i weight_i L_i and the scheme's own term, is left out if a task had no weight.
        """
        seen = [name for name in self.names if name in self.counts]
        weighed = [name for name in seen if name in self.weighed]
        whole = all(self.weighed.get(name) == self.counts[name] for name in seen)
        return {
            "losses": {n: self.loss_sums[n] / self.counts[n] for n in seen},
            "weights": {n: self.weight_sums[n] / self.weighed[n] for n in weighed},
            "weighted_losses": {n: self.weighted_sums[n] / self.weighed[n] for n in weighed},
            **({"loss": self.total / max(1, self.steps)} if whole else {}),
            "gradient_norm": self.norm / max(1, self.steps),
            **({"skipped_steps": self.skipped} if self.skipped else {}),
        }

    def reset(self) -> None:
        """Start anew."""
        self.steps, self.skipped, self.total, self.norm = 0, 0, 0.0, 0.0
        self.loss_sums, self.weight_sums, self.weighted_sums, self.counts, self.weighed = {}, {}, {}, {}, {}

    def state_dict(self) -> dict[str, Any]:
        """For a resumed run."""
        return {k: v for k, v in asdict(self).items() if k != "names"}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        for name, value in state.items():
            setattr(self, name, value)


DROWNING = 5.0
"""A weighted loss this many times the median of the others' drowns them."""


def drowning(weighted: Mapping[str, float]) -> list[tuple[str, float]]:
    """Tasks whose weighted loss is far above the median of the other tasks', with the ratio."""
    found = []
    for name, value in weighted.items():
        others = [v for other, v in weighted.items() if other != name and v > 0]
        if others and value > DROWNING * statistics.median(others):
            found.append((name, value / statistics.median(others)))
    return found
