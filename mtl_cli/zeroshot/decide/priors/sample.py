"""Batch calibration."""

from __future__ import annotations

import numpy as np

from mtl_cli.zeroshot.decide.choice import Choice, log_softmax
from mtl_cli.zeroshot.decide.priors.base import Prior, Sampled, checked_least, too_few


class BatchCalibration(Prior):
    """Subtract each label's mean log-probability over the sample (Zhou et al. 2024, Batch Calibration, equation 4).

    The paper divides by the mean probability; the mean of logarithms is not led by a few texts that the model is sure of.
    Both take the labels to be about equally frequent; where they are not, give `shares`.

    Args:
        least: texts below which nothing is subtracted, and that is said: the mean would be that of the very texts that are
            answered, and of one text all labels would come out alike.
    """

    def __init__(self, *, least: int) -> None:
        self._least = checked_least(least)

    def shift(self, sampled: Sampled, choice: Choice) -> np.ndarray:
        """Minus the mean log-probabilities; 0 if there are too few texts."""
        if too_few("sample", sampled, self._least):
            return np.zeros(len(sampled.labels))
        mean_GC = np.einsum("gsc,s->gc", log_softmax(choice.grouped(sampled.logits_SL)), sampled.weights_S)
        return choice.by_label(-mean_GC)
