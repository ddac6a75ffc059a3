"""Several engines as one. Legend: M members, S sampled texts, N texts, L labels."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.zeroshot.decide.choice import AnyOf, Choice, OneOf
from mtl_cli.zeroshot.decide.priors.base import Sampled
from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.scoring.method import Drawn, Method, Part, Scores
from mtl_cli.zeroshot.scoring.models import Member, Models
from mtl_cli.zeroshot.scoring.plan import Plan

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Scale:
    """How a member's logits are put beside those of the others."""

    shift_L: np.ndarray
    """Of its prior."""
    spread: float
    """Root mean square of its shifted logits about their mean, over the sample."""
    names: tuple[str, ...]


class EnsembleMethod(Method):
    """logit(x, l) = sum_m w_m s (z_m(x, l) + b_m(l)) / s_m, with sum_m w_m = 1.

    z_m are a member's logits under its own templates, b_m the shift of its own prior (see `zeroshot.priors`) on a sample of the
    texts, s_m the spread of what comes of it over that sample, and s = sum_m w_m s_m: no member counts more because its
    logits are larger. A product of experts (Hinton 2002) with one temperature a member.

    Args:
        models: builds the members.
        members: what makes each engine on the command line of `mtl zeroshot`: overrides with spaces between them.
        weights: w_m up to a factor; None: equal.

    Raises:
        ConfigError: fewer than two members, weights that do not fit them, or a member that cannot be built.
    """

    needs_sample = True

    def __init__(self, models: Models, *, members: list[str], weights: list[float] | None) -> None:
        weights_M = _weights(members, weights)
        built = [models.member(_split(i, said)) for i, said in enumerate(members)]
        names = _names([member.name for member in built])
        self._members = dict(zip(names, built, strict=True))
        self._weights = dict(zip(names, weights_M.tolist(), strict=True))
        self._choice: Choice = AnyOf(0.5) if models.several else OneOf()
        self._scales: dict[str, _Scale] = {}
        self.remembers = any(member.method.remembers for member in self._members.values())
        self.scores_texts_alone = all(member.method.scores_texts_alone for member in self._members.values())
        self.remote = any(member.method.remote for member in self._members.values())

    @property
    def identity(self) -> str:
        """Members with their models."""
        return " + ".join(f"{name} ({member.method.identity})" for name, member in self._members.items())

    @property
    def truncated(self) -> int:
        """The most texts that one member cut."""
        return max(member.method.truncated for member in self._members.values())

    def fit(self, drawn: Drawn, labels: Sequence[Label]) -> None:
        """Find each member's shift and spread; tell how often members agree."""
        names = tuple(label.name for label in labels)
        best_M: dict[str, np.ndarray] = {}
        for name, member in self._members.items():
            own = _under(member, labels)
            if member.method.needs_sample:
                member.method.fit(drawn, own)
            logits_SL = member.method.score(drawn.texts, own).logits_NL
            shift_L = member.prior.shift(Sampled(logits_SL, drawn.weights_S, names), self._choice)
            shifted_SL = logits_SL + shift_L
            self._scales[name] = _Scale(shift_L, _spread(shifted_SL, drawn.weights_S, self._choice), names)
            best_M[name] = shifted_SL.argmax(axis=1)
        flat = [name for name, scale in self._scales.items() if not scale.spread > 0]
        if flat:
            log.warning("member %s says the same of every label and text: it changes nothing", ", ".join(flat))
        _tell_agreement(best_M, drawn.weights_S)

    def score(self, texts: Sequence[str], labels: Sequence[Label]) -> Scores:
        """Weighted logits; the parts are what each member adds to them.

        Raises:
            ConfigError: the labels are not those that `fit` has seen.
        """
        names = tuple(label.name for label in labels)
        if any(scale.names != names for scale in self._scales.values()) or not self._scales:
            raise ConfigError([Fault("method", "an ensemble needs one label set for all texts")])
        common = sum(self._weights[name] * scale.spread for name, scale in self._scales.items())
        added = []
        for name, member in self._members.items():
            scale = self._scales[name]
            z_NL = member.method.score(texts, _under(member, labels)).logits_NL + scale.shift_L
            factor = self._weights[name] * common / scale.spread if scale.spread > 0 else 0.0
            added.append(factor * (z_NL - (z_NL.mean(axis=1, keepdims=True) if self._choice.least_labels > 1 else 0.0)))
        parts = tuple(Part(i, name) for name in self._members for i in range(len(labels)))
        return Scores(np.sum(added, axis=0), parts, np.concatenate(added, axis=1))

    def plan(self, texts: Sequence[str], labels: Sequence[Label]) -> Plan:
        """All members together."""
        plans = [member.method.plan(texts, _under(member, labels)) for member in self._members.values()]
        return sum(plans, Plan(0, 0))

    def plan_labels(self, labels: Sequence[Label]) -> Plan:
        """All members together."""
        plans = [member.method.plan_labels(_under(member, labels)) for member in self._members.values()]
        return sum(plans, Plan(0, 0))


def _under(member: Member, labels: Sequence[Label]) -> list[Label]:
    return [label.under(member.templates) for label in labels]


def _spread(logits_SL: np.ndarray, weights_S: np.ndarray, choice: Choice) -> float:
    """Of a softmax the common part of a text's logits means nothing, so it does not count."""
    centred_SL = logits_SL - logits_SL.mean(axis=1, keepdims=True) if choice.least_labels > 1 else logits_SL
    return float(np.sqrt(weights_S @ (centred_SL**2).mean(axis=1)))


def _split(place: int, said: str) -> list[str]:
    try:
        return shlex.split(said)
    except ValueError as error:
        raise ConfigError([Fault(f"method.members[{place}]", f"its quotes do not close: {said}")]) from error


def _names(given: Sequence[str]) -> list[str]:
    """Names of engines, numbered where one stands more than once."""
    return [name if given.count(name) == 1 else f"{name} {given[: i + 1].count(name)}" for i, name in enumerate(given)]


def _weights(members: Sequence[str], given: list[float] | None) -> np.ndarray:
    faults: list[Fault] = []
    if len(members) < 2:
        faults.append(Fault("method.members", f"an ensemble has at least two members; found {len(members)}"))
    weights_M = np.array([1.0] * len(members) if given is None else given)
    if len(weights_M) != len(members):
        faults.append(Fault("method.weights", f"must have one number a member, {len(members)}; found {len(weights_M)}"))
    elif not (np.isfinite(weights_M).all() and (weights_M >= 0).all() and weights_M.sum() > 0):
        faults.append(Fault("method.weights", f"must not be below 0, nor all 0; found {given}"))
    if faults:
        raise ConfigError(faults)
    return weights_M / weights_M.sum()


def _tell_agreement(best_M: dict[str, np.ndarray], weights_S: np.ndarray) -> None:
    names = list(best_M)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    told = [f"{a} and {b} {100 * float(weights_S @ (best_M[a] == best_M[b])):.0f} %" for a, b in pairs]
    log.info("members  agree on the best label of %s of %d sampled texts", ", ".join(told), len(weights_S))
