"""Known shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.zeroshot.decide.choice import Choice
from mtl_cli.zeroshot.decide.priors.base import Prior, Sampled, matching_shift
from mtl_cli.zeroshot.labels.label_set import split_entries


class Shares(Prior):
    """The mean prediction has the shares that the user knows (see `matching_shift`).

    Args:
        shares: label -> share of the texts, above 0; or the same as a text, pos=.8,neg=.2. With one label a text they sum to 1.
    """

    def __init__(self, *, shares: dict[str, float] | str) -> None:
        self._shares = parse_shares(shares) if isinstance(shares, str) else shares

    def check(self, labels: Sequence[str], choice: Choice) -> None:
        """A share for each label."""
        choice.shares(self._shares, labels)

    def shift(self, sampled: Sampled, choice: Choice) -> np.ndarray:
        """The shift that makes it so."""
        prior_GC = choice.shares(self._shares, sampled.labels)
        return choice.by_label(matching_shift(choice.grouped(sampled.logits_SL), sampled.weights_S, prior_GC))


def parse_shares(text: str) -> dict[str, float]:
    """`pos=.8,neg=.2` -> label -> share; a label with a comma is put in double quotes, as in --labels."""
    key = "prior.shares"
    pairs = [entry.rpartition("=") for entry in split_entries(text, key)]
    shares: dict[str, float] = {}
    faults = []
    for name, _, share in pairs:
        try:
            shares[name.strip()] = float(share)
        except ValueError:
            problem = f"the share of '{name or share}' must be a number, as in pos=.8,neg=.2; found '{share}'"
            faults.append(Fault(key, problem))
    if faults:
        raise ConfigError(faults)
    return shares
