"""UPGrad."""

from __future__ import annotations

from torchjd.aggregation import UPGradWeighting

from mtl_cli.weighting.gradient import Borrowed


class UPGrad(Borrowed):
    """Each g_i is projected on the cone of directions that harm no task, then the mean is taken (Quinton & Rey 2024, section 3)."""

    method = UPGradWeighting
    packages = "quadprog and qpsolvers"
