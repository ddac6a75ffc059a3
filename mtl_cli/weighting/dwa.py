"""Dynamic weight average."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl_cli.weighting.scalar import Scalarised


class DWA(Scalarised):
    """Weights m softmax_i(r_i / T), r_i = mean loss of the last epoch over that of the one before (Liu, Johns & Davison 2019, equation 7).

    1 for all in the first two epochs. An epoch's means are over the steps that a task was in. Written out here since TorchJD's `DWA`
    counts every step for every task and keeps no state that can be saved; a test compares the two.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        temperature: T; larger is more even.
    """

    def __init__(
        self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]], *, temperature: float
    ) -> None:
        super().__init__(names_K, lambdas)
        if temperature <= 0:
            raise ValueError(f"temperature must be more than 0; found {temperature}")
        self._temperature = temperature
        self._sums_K = torch.zeros(len(names_K))
        self._counts_K = torch.zeros(len(names_K))
        self._last_K = torch.full((len(names_K),), torch.nan)
        self._older_K = torch.full((len(names_K),), torch.nan)

    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:  # noqa: ARG002
        """sum_i weight_i v_i."""
        self._sums_K[present_P] += losses_P.detach()
        self._counts_K[present_P] += 1
        weights_P = self._weights_K()[present_P]
        return (weights_P * lambdas_P * losses_P).sum()

    def _weights_K(self) -> Tensor:
        rates_K = self._last_K / self._older_K
        known = rates_K.isfinite()
        weights_K = torch.ones(len(rates_K))
        # A task that was absent for an epoch has no rate: it keeps 1, and the others share what is theirs.
        weights_K[known] = int(known.sum()) * torch.softmax(rates_K[known] / self._temperature, 0)
        return weights_K

    def end_epoch(self) -> None:
        """The epoch's means become the last ones."""
        self._older_K, self._last_K = self._last_K, self._sums_K / self._counts_K
        self._sums_K, self._counts_K = torch.zeros_like(self._sums_K), torch.zeros_like(self._counts_K)

    def state_dict(self) -> dict[str, Any]:
        """Sums of the current epoch and means of the last two."""
        return {"sums": self._sums_K, "counts": self._counts_K, "last": self._last_K, "older": self._older_K}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._sums_K, self._counts_K = state["sums"].clone(), state["counts"].clone()
        self._last_K, self._older_K = state["last"].clone(), state["older"].clone()
