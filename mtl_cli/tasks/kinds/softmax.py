"""Outputs of a softmax head as probabilities. Legend: V outputs, C classes."""

from __future__ import annotations

import numpy as np


def probabilities(out_VC: np.ndarray) -> np.ndarray:
    """Softmax over the classes, float64, shape [V, C]."""
    logits_VC = out_VC.astype(np.float64)
    logits_VC -= logits_VC.max(axis=1, keepdims=True)
    scores_VC = np.exp(logits_VC)
    scores_VC /= scores_VC.sum(axis=1, keepdims=True)
    return scores_VC
