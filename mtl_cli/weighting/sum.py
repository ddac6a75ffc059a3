"""The plain sum of the tasks' losses."""

from __future__ import annotations

from mtl_cli.weighting.base import StepPasses, Weighted, Weighting


class Sum(Weighting):
    """The loss is sum_i L_i, LibMTL's "equal weighting". Refuses other weights in the config: they would be lost."""

    scale_free = True

    def weigh(self, passes: StepPasses, step: int) -> Weighted:
        """One backward pass a forward pass."""
        return passes.accumulate(self.lambdas_K(step))
