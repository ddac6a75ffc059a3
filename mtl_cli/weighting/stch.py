"""Smooth Tchebycheff scalarisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchjd.scalarization import STCH as TorchJDSTCH  # noqa: N811

from mtl_cli.weighting.scalar import Scalarised, positive


class STCH(Scalarised):
    """m mu log sum_i exp(lambda_i log(L_i / z_i) / mu) after a warm-up on sum_i lambda_i log L_i (Lin, Zhang et al. 2024).

    z_i is the mean loss over the second half of the warm-up. LibMTL's form of the method; its warm-up counts epochs, ours steps, since
    runs may be shorter than its four epochs.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        mu: smoothing; towards 0 only the worst task counts.
        warmup_steps: length of the warm-up.
    """

    needs_every_task = True

    def __init__(
        self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]], *, mu: float, warmup_steps: int
    ) -> None:
        super().__init__(names_K, lambdas)
        if mu <= 0:
            raise ValueError(f"mu must be more than 0; found {mu}")
        if warmup_steps < 1:
            raise ValueError(f"warmup_steps must be at least 1; found {warmup_steps}")
        self._mu, self._warmup = mu, warmup_steps
        self._sums_K = torch.zeros(len(names_K))
        self._seen = 0

    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:
        """Warm-up or method."""
        logs_P = positive(losses_P, present_P).log()
        # Steps that were passed over may have left the warm-up without a loss.
        if step < self._warmup or not self._seen:
            if step >= self._warmup // 2:
                self._sums_K += losses_P.detach()
                self._seen += 1
            return (lambdas_P * logs_P).sum()
        reference_P = (self._sums_K / self._seen).log()
        return len(losses_P) * TorchJDSTCH(self._mu, lambdas_P, reference_P)(logs_P)

    def state_dict(self) -> dict[str, Any]:
        """Sums of the losses of the warm-up."""
        return {"sums": self._sums_K, "seen": self._seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._sums_K, self._seen = state["sums"].clone(), state["seen"]
