"""ConFIG."""

from __future__ import annotations

import torch
from torch import Tensor

from mtl_cli.weighting.gradient import AliveRows, GramianWeighting


class ConFIG(GramianWeighting):
    """The direction with the same cosine to every g_i, as long as the g_i are along it together (Liu, Chu & Thuerey 2025)."""

    def weights(self, rows: AliveRows) -> Tensor:
        """Of d = (sum_i g_i . u) u, u the unit vector of pinv(U) 1, U the unit rows.

        TorchJD's `ConFIG` takes the pseudo-inverse of a [Q, N] matrix; pinv(U) 1 = U^T pinv(U U^T) 1 needs Q x Q numbers alone.
        """
        gramian_QQ = rows.gramian_QQ.double()
        lengths_Q = gramian_QQ.diagonal().sqrt()
        cosines_QQ = gramian_QQ / torch.outer(lengths_Q, lengths_Q)
        along_Q = torch.linalg.pinv(cosines_QQ, hermitian=True) @ torch.ones_like(lengths_Q) / lengths_Q
        square = along_Q @ gramian_QQ @ along_Q
        return along_Q * (gramian_QQ @ along_Q).sum() / square
