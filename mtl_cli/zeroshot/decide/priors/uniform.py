"""Equal shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.zeroshot.decide.choice import Choice
from mtl_cli.zeroshot.decide.priors.base import Prior, Sampled, matching_shift


class Uniform(Prior):
    """The mean prediction gives every label the same share; harmful where the texts do not (see `matching_shift`)."""

    def check(self, labels: Sequence[str], choice: Choice) -> None:
        """One label a text."""
        choice.uniform(labels)

    def shift(self, sampled: Sampled, choice: Choice) -> np.ndarray:
        """The shift that makes it so."""
        prior_GC = choice.uniform(sampled.labels)
        return choice.by_label(matching_shift(choice.grouped(sampled.logits_SL), sampled.weights_S, prior_GC))
