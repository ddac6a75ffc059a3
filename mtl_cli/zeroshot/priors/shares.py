"""Known shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.zeroshot.choice import Choice
from mtl_cli.zeroshot.priors.base import Prior, Sampled, matching_shift


class Shares(Prior):
    """The mean prediction has the shares that the user knows (see `matching_shift`).

    Args:
        shares: label -> share of the texts, above 0. With one label a text they sum to 1.
    """

    def __init__(self, *, shares: dict[str, float]) -> None:
        self._shares = shares

    def check(self, labels: Sequence[str], choice: Choice) -> None:
        """A share for each label."""
        choice.shares(self._shares, labels)

    def shift(self, sampled: Sampled, choice: Choice) -> np.ndarray:
        """The shift that makes it so."""
        prior_GC = choice.shares(self._shares, sampled.labels)
        return choice.by_label(matching_shift(choice.grouped(sampled.logits_SL), sampled.weights_S, prior_GC))
