"""How logits become answers: one label a text, or any number. Legend: N texts, L labels, G groups of C outcomes each.

One label a text is one group of L outcomes. Several labels are L groups of two outcomes, "has it" and "has it not". What is
written for groups (priors, temperature) so serves both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mtl_cli.errors import did_you_mean


@dataclass(frozen=True)
class Decided:
    """The answer to one text."""

    label: str | None
    """The one label; None: no answer (or several labels may be given)."""
    labels: tuple[str, ...] | None = None
    """The labels given, in label order; None where a text has one label."""


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis, for logits of any size."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


class Choice(ABC):
    """What a text may be answered with."""

    least_labels: int
    """Labels that there must be."""

    @abstractmethod
    def grouped(self, logits_NL: np.ndarray) -> np.ndarray:
        """Logits of the outcomes, shape [G, N, C]."""

    @abstractmethod
    def by_label(self, shift_GC: np.ndarray) -> np.ndarray:
        """What is to be added to the logits of the labels so that those of the outcomes are shifted so, shape [L]."""

    @abstractmethod
    def outcomes(self, has_NL: np.ndarray) -> np.ndarray:
        """Index of the outcome that is true, shape [G, N], given which labels each text has."""

    @abstractmethod
    def shares(self, given: Mapping[str, float], labels: Sequence[str]) -> np.ndarray:
        """A prior over the outcomes from the share of texts with each label, shape [G, C]. Raises `ValueError` if it is none."""

    @abstractmethod
    def uniform(self, labels: Sequence[str]) -> np.ndarray:
        """The prior that prefers no label, shape [G, C]. Raises `ValueError` if that has no meaning."""

    @abstractmethod
    def offset_groups(self, logits_NL: np.ndarray) -> np.ndarray | None:
        """The logits as one group in which a common offset of all labels matters, shape [1, M, C]; None if it never does."""

    @abstractmethod
    def decide(self, probabilities_L: np.ndarray, labels: Sequence[str]) -> Decided:
        """The answer to one text."""

    def probabilities(self, logits_NL: np.ndarray) -> np.ndarray:
        """Probability of each label, shape [N, L]."""
        return np.exp(self.log_probabilities(logits_NL))

    @abstractmethod
    def log_probabilities(self, logits_NL: np.ndarray) -> np.ndarray:
        """Log-probability of each label, shape [N, L]."""


def _checked(given: Mapping[str, float], labels: Sequence[str]) -> np.ndarray:
    unknown = [name for name in given if name not in labels]
    if unknown:
        raise ValueError(f"there is no label '{unknown[0]}'. {did_you_mean(unknown[0], labels)}")
    missing = [name for name in labels if name not in given]
    if missing:
        raise ValueError(f"no share is given for {', '.join(missing[:10])}: every label has one")
    for name, share in given.items():
        if not 0 < share < 1:
            raise ValueError(f"the share of '{name}' must lie between 0 and 1; found {share:g}")
    return np.array([given[name] for name in labels], np.float64)


@dataclass(frozen=True)
class OneOf(Choice):
    """Exactly one label is right: softmax.

    Args:
        least: a text whose highest probability is below this gets no answer; 0: every text gets one.
    """

    least: float = 0.0
    least_labels = 2

    def grouped(self, logits_NL: np.ndarray) -> np.ndarray:
        """One group, shape [1, N, L]."""
        return logits_NL[None]

    def by_label(self, shift_GC: np.ndarray) -> np.ndarray:
        """The group's shift, with mean 0 (a softmax does not see a common part)."""
        return shift_GC[0] - shift_GC[0].mean()

    def outcomes(self, has_NL: np.ndarray) -> np.ndarray:
        """The one label, shape [1, N]."""
        return has_NL.argmax(axis=1)[None]

    def shares(self, given: Mapping[str, float], labels: Sequence[str]) -> np.ndarray:
        """Shares that sum to 1."""
        shares_L = _checked(given, labels)
        if abs(shares_L.sum() - 1) > 1e-3:
            raise ValueError(f"the shares must sum to 1, since a text has one label; they sum to {shares_L.sum():g}")
        return (shares_L / shares_L.sum())[None]

    def uniform(self, labels: Sequence[str]) -> np.ndarray:
        """1 / L each."""
        return np.full((1, len(labels)), 1 / len(labels))

    def offset_groups(self, logits_NL: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        """None: a softmax does not see a common offset."""
        return None

    def log_probabilities(self, logits_NL: np.ndarray) -> np.ndarray:
        """Log-softmax over the labels."""
        return log_softmax(logits_NL)

    def decide(self, probabilities_L: np.ndarray, labels: Sequence[str]) -> Decided:
        """The most probable label, the first of equals; none if it is not probable enough."""
        best = int(probabilities_L.argmax())
        return Decided(labels[best] if probabilities_L[best] >= self.least else None)


@dataclass(frozen=True)
class AnyOf(Choice):
    """Each label is right or not, whatever the others are: a sigmoid each.

    Args:
        threshold: a label whose probability is at least this is given.
        own: thresholds of single labels.
    """

    threshold: float
    own: Mapping[str, float] = field(default_factory=dict)
    least_labels = 1

    def grouped(self, logits_NL: np.ndarray) -> np.ndarray:
        """A group a label: its logit beside 0, shape [L, N, 2]."""
        return np.stack([logits_NL.T, np.zeros_like(logits_NL.T)], axis=-1)

    def by_label(self, shift_GC: np.ndarray) -> np.ndarray:
        """Shift of "has it" against that of "has it not"."""
        return shift_GC[:, 0] - shift_GC[:, 1]

    def outcomes(self, has_NL: np.ndarray) -> np.ndarray:
        """0 where a text has the label, else 1, shape [L, N]."""
        return 1 - has_NL.T.astype(np.int64)

    def shares(self, given: Mapping[str, float], labels: Sequence[str]) -> np.ndarray:
        """A share for each label by itself."""
        shares_L = _checked(given, labels)
        return np.stack([shares_L, 1 - shares_L], axis=1)

    def uniform(self, labels: Sequence[str]) -> np.ndarray:  # noqa: ARG002
        """Not defined: nobody knows how many labels a text has."""
        raise ValueError(
            "'uniform' says nothing where a text may have several labels: give the share of texts with each, "
            "prior=shares 'prior.shares={a: .3, b: .1}'"
        )

    def offset_groups(self, logits_NL: np.ndarray) -> np.ndarray | None:
        """All labels of all texts in one group, shape [1, N L, 2]."""
        flat = logits_NL.reshape(-1)
        return np.stack([flat, np.zeros_like(flat)], axis=-1)[None]

    def log_probabilities(self, logits_NL: np.ndarray) -> np.ndarray:
        """Log-sigmoid of each."""
        return -np.logaddexp(0.0, -logits_NL)

    def decide(self, probabilities_L: np.ndarray, labels: Sequence[str]) -> Decided:
        """All labels that reach their threshold; there may be none."""
        pairs = zip(labels, probabilities_L, strict=True)
        return Decided(None, tuple(name for name, p in pairs if p >= self.own.get(name, self.threshold)))
