"""Scale-invariant sum."""

from __future__ import annotations

from torch import Tensor

from mtl_cli.weighting.scalar import Scalarised, positive


class ScaleInvariant(Scalarised):
    """sum_i lambda_i log L_i: each task weighs lambda_i / L_i (the "SI" baseline of Navon et al. 2022, section 6)."""

    def scalar(self, losses_P: Tensor, lambdas_P: Tensor, present_P: list[int], step: int) -> Tensor:  # noqa: ARG002
        """Over the tasks of the step."""
        return (lambdas_P * positive(losses_P, present_P).log()).sum()
