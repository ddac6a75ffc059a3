"""COSMOS."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torchjd.scalarization import COSMOS as TorchJDCOSMOS  # noqa: N811

from mtl_cli.weighting.scalar import Scalarised


class COSMOS(Scalarised):
    """sum_i r_i v_i - penalty cos(r, v), r drawn from a Dirichlet in each step (Ruchte & Grabocka 2021).

    The paper also shows r to the model, to give every trade-off after one training; here the objective alone is used.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        penalty: weight of the cosine.
        concentration: of the Dirichlet; large is even.
    """

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        penalty: float,
        concentration: float,
    ) -> None:
        super().__init__(names_K, lambdas)
        if penalty < 0 or concentration <= 0:
            raise ValueError(f"penalty must be 0 or more, concentration more than 0; found {penalty}, {concentration}")
        self._penalty, self._concentration = penalty, concentration

    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:  # noqa: ARG002
        """Over the tasks of the step."""
        r_P = torch.distributions.Dirichlet(torch.full((len(losses_P),), self._concentration)).sample()
        return TorchJDCOSMOS(self._penalty, r_P)(lambdas_P * losses_P)
