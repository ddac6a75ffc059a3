"""Temperature and shift of logits. Legend: N texts, L labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mtl_cli.zeroshot.decide.choice import Choice, log_softmax
from mtl_cli.zeroshot.decide.priors.base import matching_shift

_RANGE = (0.01, 100.0)


@dataclass(frozen=True)
class Calibration:
    """z / temperature + shift."""

    temperature: float
    shift_L: np.ndarray | None
    """One number a label; None: 0."""

    def __call__(self, logits_NL: np.ndarray) -> np.ndarray:
        """Calibrated logits, shape [N, L]."""
        scaled = logits_NL / self.temperature
        return scaled if self.shift_L is None else scaled + self.shift_L


@dataclass(frozen=True)
class Fitted:
    """A calibration found from gold labels."""

    calibration: Calibration
    nll: float
    """Mean negative log-likelihood of the gold labels, nats."""
    at_end: bool
    """The search ended at an end of its range: the gold rows do not say where the best one is."""


def negative_log_likelihood(logits_NL: np.ndarray, has_NL: np.ndarray, choice: Choice) -> float:
    """Mean over texts (and over labels, where each is a question of its own) of -log p(what is true), nats."""
    log_p_GNC = log_softmax(choice.grouped(logits_NL))
    return float(-np.take_along_axis(log_p_GNC, choice.outcomes(has_NL)[:, :, None], axis=2).mean())


def fit_temperature(
    logits_NL: np.ndarray, has_NL: np.ndarray, choice: Choice, shift_at: Callable[[float], np.ndarray] | None
) -> Fitted:
    """The temperature with the least negative log-likelihood of the gold labels (Guo et al. 2017, section 4.2).

    Brent's search over the temperature's logarithm between 0.01 and 100. Where each label is a question of its own, logits have
    no zero that means "as likely as not": one offset for all labels is fitted with it (Platt 1999), unless a prior sets the shift.

    Args:
        logits_NL: of gold rows, uncalibrated.
        has_NL: which labels each row has.
        choice: one label a text or several.
        shift_at: temperature -> the prior's shift at it; None: no prior.
    """
    from scipy.optimize import minimize_scalar

    def at(temperature: float) -> Calibration:
        if shift_at is not None:
            return Calibration(temperature, shift_at(temperature))
        return Calibration(temperature, _offset(logits_NL / temperature, has_NL, choice))

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(at(float(np.exp(log_temperature)))(logits_NL), has_NL, choice)

    low, high = np.log(_RANGE)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-4})
    # Where the loss is flat, the search stops anywhere: an end that is as good says that the rows do not tell.
    near = min(found.x - low, high - found.x) < 1e-2
    at_end = bool(near or min(loss(low), loss(high)) <= found.fun)
    return Fitted(at(float(np.exp(found.x))), float(found.fun), at_end)


def _offset(scaled_NL: np.ndarray, has_NL: np.ndarray, choice: Choice) -> np.ndarray | None:
    """The common offset of most likelihood: there, as many labels are expected as there are."""
    groups = choice.offset_groups(scaled_NL)
    if groups is None:
        return None
    count = has_NL.size
    share = min(max(has_NL.mean(), 0.5 / count), 1 - 0.5 / count)
    shift_GC = matching_shift(groups, np.full(count, 1 / count), np.array([[share, 1 - share]]))
    return np.full(scaled_NL.shape[1], shift_GC[0, 0] - shift_GC[0, 1])
