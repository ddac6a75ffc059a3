"""PCGrad."""

from __future__ import annotations

from torchjd.aggregation import PCGradWeighting

from mtl_cli.weighting.gradient import Borrowed


class PCGrad(Borrowed):
    """Each g_i loses its part against every g_j that it conflicts with, in random order; then the sum (Yu et al. 2020, algorithm 1)."""

    method = PCGradWeighting
    averages = False
