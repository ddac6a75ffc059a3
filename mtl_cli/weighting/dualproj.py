"""DualProj."""

from __future__ import annotations

from torchjd.aggregation import DualProjWeighting

from mtl_cli.weighting.gradient import Borrowed


class DualProj(Borrowed):
    """The mean gradient is projected on the cone of directions that harm no task (Lopez-Paz & Ranzato 2017, equation 11)."""

    method = DualProjWeighting
    packages = "quadprog and qpsolvers"
