"""Weights that do not change."""

from __future__ import annotations

import torch

from mtl_cli.weighting.base import StepPasses, Weighted, Weighting


class Static(Weighting):
    """The loss is sum_i lambda_i L_i with lambda_i from the config: linear scalarisation."""

    def backward(self, passes: StepPasses, step: int) -> Weighted:  # noqa: ARG002
        """One backward pass a forward pass."""
        return passes.accumulate(torch.tensor(self.lambdas_K))
