"""What a prior provides. Legend: S sampled texts, L labels, G groups of C outcomes (see `zeroshot.choice`)."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtl_cli.zeroshot.decide.choice import Choice, log_softmax

log = logging.getLogger(__name__)

_ROUNDS = 1000
_CLOSE = 1e-6


@dataclass(frozen=True)
class Sampled:
    """Scores of texts that stand for all of them."""

    logits_SL: np.ndarray
    """Already divided by the temperature."""
    weights_S: np.ndarray
    """Share of the rows that each text stands for; they sum to 1."""
    labels: tuple[str, ...]


class Prior(ABC):
    """How often each label is expected, put into the logits."""

    needs_sample = True
    """Whether texts must be scored before the first answer."""

    def check(self, labels: Sequence[str], choice: Choice) -> None:
        """Raise `ValueError` if the prior does not fit the labels; asked before anything is scored."""

    @abstractmethod
    def shift(self, sampled: Sampled, choice: Choice) -> np.ndarray:
        """What is added to the logits of every text, shape [L].

        It depends on the sampled texts as a set: not on their order.
        """


def checked_least(least: int) -> int:
    """The number of texts that a prior needs. Raises `ValueError` if one would be enough: it would be compared with itself."""
    if least < 2:
        raise ValueError(f"least must be 2 or more: one text would be compared with itself; found {least}")
    return least


def too_few(name: str, sampled: Sampled, least: int) -> bool:
    """Whether a sample is too small to tell anything of an engine, which is said."""
    few = len(sampled.weights_S) < least
    if few:
        told = "prior %s: %d texts (prior.least=%d) are too few to tell what the engine leans to: scores are left as they are"
        log.warning(told, name, len(sampled.weights_S), least)
    return few


def matching_shift(logits_GSC: np.ndarray, weights_S: np.ndarray, prior_GC: np.ndarray) -> np.ndarray:
    """The shift b with which the mean prediction over the sample is the prior: sum_s w_s softmax(z_s + b) = pi, shape [G, C].

    Iterative proportional fitting (Deming & Stephan 1940; Sinkhorn & Knopp 1967): b <- b + log pi - log sum_s w_s softmax(z_s + b),
    until no prior is missed by more than 1e-6, 1,000 rounds at most. The solution is unique up to a constant in each group.

    Args:
        logits_GSC: z.
        weights_S: w, positive, sums to 1.
        prior_GC: pi, positive, sums to 1 in each group.
    """
    shift_GC = np.zeros_like(prior_GC)
    log_weights_S1 = np.log(weights_S)[:, None]
    for _ in range(_ROUNDS):
        log_mean_GC = np.logaddexp.reduce(log_softmax(logits_GSC + shift_GC[:, None]) + log_weights_S1, axis=1)
        if np.abs(np.exp(log_mean_GC) - prior_GC).max() < _CLOSE:
            break
        shift_GC = shift_GC + np.log(prior_GC) - log_mean_GC
    return shift_GC


def em_prior(logits_GSC: np.ndarray, weights_S: np.ndarray) -> np.ndarray:
    """Shares of the outcomes by expectation maximisation, shape [G, C].

    Saerens, Latinne & Decaestecker 2002, equations 2.4 and 2.5 with equal priors in training, which a model that was not
    trained on the labels leaves as the only choice: pi <- sum_s w_s softmax(z_s + log pi), from equal shares, until no share
    moves by more than 1e-6, 1,000 rounds at most.

    Args:
        logits_GSC: z.
        weights_S: w, sums to 1.
    """
    groups, _, outcomes = logits_GSC.shape
    prior_GC = np.full((groups, outcomes), 1 / outcomes)
    for _ in range(_ROUNDS):
        found_GSC = np.exp(log_softmax(logits_GSC + np.log(prior_GC)[:, None]))
        # A share of 0 would stay 0 for ever and have no logarithm.
        new_GC = np.maximum(np.einsum("gsc,s->gc", found_GSC, weights_S), 1e-12)
        moved = np.abs(new_GC - prior_GC).max()
        prior_GC = new_GC
        if moved < _CLOSE:
            break
    return prior_GC
