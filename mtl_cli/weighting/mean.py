"""The mean of the tasks' losses."""

from __future__ import annotations

from mtl_cli.weighting.base import StepPasses, Weighted, Weighting


class Mean(Weighting):
    """The loss is 1/P sum_i lambda_i L_i over the P tasks of the step."""

    def weigh(self, passes: StepPasses, step: int) -> Weighted:
        """One backward pass a forward pass."""
        return passes.accumulate(self.lambdas_K(step) / len(passes.present_P))
