"""IMTL-G."""

from __future__ import annotations

from torchjd.aggregation import IMTLGWeighting

from mtl_cli.weighting.gradient import Borrowed


class IMTLG(Borrowed):
    """The combination with equal projections on all g_i / |g_i|, weights summing to one (Liu, Li et al. 2021)."""

    method = IMTLGWeighting
