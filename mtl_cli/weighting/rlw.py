"""Random loss weighting."""

from __future__ import annotations

from torch import Tensor
from torchjd.scalarization import Random

from mtl_cli.weighting.scalar import Scalarised


class RLW(Scalarised):
    """sum_i z_i v_i with z = softmax of fresh normal draws in each step (Lin, Ye, Zhang & Tsang 2022, section 3)."""

    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:  # noqa: ARG002
        """The sum over the tasks of the step."""
        return Random()(lambdas_P * losses_P)
