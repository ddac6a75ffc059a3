"""Penalty-based boundary intersection."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torchjd.scalarization import PBI as TorchJDPBI  # noqa: N811

from mtl_cli.weighting.scalar import Scalarised


class PBI(Scalarised):
    """d_1 + theta d_2: how far the losses are along the direction lambda, and how far beside it (Zhang & Li 2007).

    A task whose loss lies low beside the direction gets a negative weight once theta d_2 outweighs d_1.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights: the direction.
        theta: weight of the distance beside it.
    """

    def __init__(self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]], *, theta: float) -> None:
        super().__init__(names_K, lambdas)
        if theta < 0:
            raise ValueError(f"theta must be 0 or more; found {theta}")
        self._theta = theta

    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:  # noqa: ARG002
        """Over the tasks of the step."""
        return TorchJDPBI(self._theta, lambdas_P)(losses_P)
