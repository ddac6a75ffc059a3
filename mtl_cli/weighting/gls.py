"""Geometric loss strategy."""

from __future__ import annotations

from torch import Tensor
from torchjd.scalarization import GeometricMean

from mtl_cli.weighting.scalar import Scalarised, positive


class GLS(Scalarised):
    """The geometric mean of the losses (Chennupati et al. 2019)."""

    scale_free = True

    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:  # noqa: ARG002
        """Over the tasks of the step."""
        return GeometricMean()(positive(losses_P, present_P))
