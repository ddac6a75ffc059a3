"""Batch calibration."""

from __future__ import annotations

import numpy as np

from mtl_cli.zeroshot.choice import Choice, log_softmax
from mtl_cli.zeroshot.priors.base import Prior, Sampled


class BatchCalibration(Prior):
    """Subtract each label's mean log-probability over the sample (Zhou et al. 2024, Batch Calibration, equation 4).

    The paper divides by the mean probability; the mean of logarithms is not led by a few texts that the model is sure of.
    Both take the labels to be about equally frequent; where they are not, give `shares`.
    """

    def shift(self, sampled: Sampled, choice: Choice) -> np.ndarray:
        """Minus the mean log-probabilities."""
        mean_GC = np.einsum("gsc,s->gc", log_softmax(choice.grouped(sampled.logits_SL)), sampled.weights_S)
        return choice.by_label(-mean_GC)
