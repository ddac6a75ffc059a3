"""IMTL-L."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torchjd.scalarization import IMTLL

from mtl_cli.weighting.scalar import LearnedScalars


class IMTLLoss(LearnedScalars):
    """sum_i (e^{s_i} v_i - s_i) with s_i trained beside the model, 0 at first (Liu, Li et al. 2021, section 3.2).

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
    """

    def __init__(self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]]) -> None:
        super().__init__(names_K, lambdas, lambda: IMTLL(1))
