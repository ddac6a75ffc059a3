"""Shares found in the texts themselves."""

from __future__ import annotations

import numpy as np

from mtl_cli.zeroshot.choice import Choice
from mtl_cli.zeroshot.priors.base import Prior, Sampled, em_prior


class ExpectationMaximisation(Prior):
    """Shares by expectation maximisation (see `em_prior`): good if probabilities are calibrated, else it may drop labels."""

    def shift(self, sampled: Sampled, choice: Choice) -> np.ndarray:
        """Logarithm of the shares over the equal ones that it began with."""
        prior_GC = em_prior(choice.grouped(sampled.logits_SL), sampled.weights_S)
        return choice.by_label(np.log(prior_GC * prior_GC.shape[1]))
