"""No prior."""

from __future__ import annotations

import numpy as np

from mtl_cli.zeroshot.decide.choice import Choice
from mtl_cli.zeroshot.decide.priors.base import Prior, Sampled


class NoPrior(Prior):
    """Logits as the engine gives them; nothing is read twice."""

    needs_sample = False

    def shift(self, sampled: Sampled, choice: Choice) -> np.ndarray:  # noqa: ARG002
        """Nothing."""
        return np.zeros(len(sampled.labels))
