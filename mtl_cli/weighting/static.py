"""Weights from the config: fixed, or a function of the step."""

from __future__ import annotations

from mtl_cli.weighting.base import StepPasses, Weighted, Weighting


class Static(Weighting):
    """The loss is sum_i lambda_i L_i with lambda_i from the config: linear scalarisation."""

    def weigh(self, passes: StepPasses, step: int) -> Weighted:
        """One backward pass a forward pass."""
        return passes.accumulate(self.lambdas_K(step))
