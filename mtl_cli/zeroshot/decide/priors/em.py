"""Shares found in the texts themselves."""

from __future__ import annotations

import numpy as np

from mtl_cli.zeroshot.decide.choice import Choice
from mtl_cli.zeroshot.decide.priors.base import Prior, Sampled, checked_least, em_prior, too_few


class ExpectationMaximisation(Prior):
    """Shares by expectation maximisation (see `em_prior`): good if probabilities are calibrated, else it may drop labels.

    Args:
        least: texts below which there is no shift, and that is said.
    """

    def __init__(self, *, least: int) -> None:
        self._least = checked_least(least)

    def shift(self, sampled: Sampled, choice: Choice) -> np.ndarray:
        """Logarithm of the shares over the equal ones that it began with; 0 if there are too few texts."""
        if too_few("em", sampled, self._least):
            return np.zeros(len(sampled.labels))
        prior_GC = em_prior(choice.grouped(sampled.logits_SL), sampled.weights_S)
        return choice.by_label(np.log(prior_GC * prior_GC.shape[1]))
