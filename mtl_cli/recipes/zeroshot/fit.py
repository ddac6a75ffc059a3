"""What is found before the first answer: temperature, shift and threshold. Legend: S texts, L labels."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.errors import ConfigError, DataError, Fault
from mtl_cli.recipes.zeroshot.texts import LabelSets, Survey, Texts
from mtl_cli.zeroshot.decide.calibration import Calibration, fit_temperature
from mtl_cli.zeroshot.decide.choice import AnyOf, Choice, OneOf
from mtl_cli.zeroshot.decide.priors.base import Prior, Sampled
from mtl_cli.zeroshot.decide.threshold import Reachable, best_precision, least_rows, precision_threshold
from mtl_cli.zeroshot.scoring.sketch import Kept

log = logging.getLogger(__name__)

Scorer = Callable[[Sequence[str]], np.ndarray]
"""Texts of the survey -> the engine's logits of the common labels, shape [N, L]."""

_SHOWN = 12
"""Labels whose shares are told."""
_SEEN, _LOST = 0.01, 0.001
"""A label with at least the first share before a prior and less than the second after it is named in a warning."""


@dataclass(frozen=True)
class Decision:
    """What turns logits into answers."""

    choice: Choice
    calibration: Calibration
    threshold: float | None
    """Top probability below which there is no answer; None: there always is one, or each label has its threshold."""


def make_choice(config: ZeroshotConfig) -> Choice:
    """One label a text or several."""
    decide = config.decide
    if not decide.multi_label:
        return OneOf(decide.abstain or 0.0)
    own = decide.threshold if isinstance(decide.threshold, dict) else {}
    return AnyOf(0.5 if isinstance(decide.threshold, dict) else decide.threshold, own)


def check_fit(config: ZeroshotConfig, prior: Prior, choice: Choice, labels: tuple[str, ...]) -> None:
    """Raise `ConfigError` for what no text could help: a prior or thresholds of other labels, too few rows to hold."""
    faults: list[Fault] = []
    try:
        if labels:
            prior.check(labels, choice)
    except ValueError as error:
        faults.append(Fault("prior", str(error)))
    decide = config.decide
    if isinstance(decide.threshold, dict) and labels:
        faults += [
            Fault(f"decide.threshold.{n}", "there is no such label") for n in decide.threshold if n not in labels
        ]
    if decide.target_precision is not None:
        least = least_rows(decide.target_precision, decide.confidence)
        if decide.hold < least:
            shown = f"a precision of {decide.target_precision:g} with confidence {decide.confidence:g}"
            faults.append(Fault("decide.hold", f"{decide.hold} rows cannot show {shown}: it takes at least {least}"))
    if faults:
        raise ConfigError(faults)


def survey(config: ZeroshotConfig, needs_sample: bool, texts: Texts) -> Survey:
    """Look at the texts if anything is to be found on them; nothing is read twice if not."""
    hold = config.decide.hold if config.decide.target_precision is not None else 0
    wanted = config.calibrate.fit + hold
    if not wanted and not needs_sample:
        return Survey([], [], "")
    found = texts.survey(config.calibrate.sample, wanted, config.seed)
    if len(found.gold) < wanted:
        asked = [f"calibrate.fit={config.calibrate.fit}"] * bool(config.calibrate.fit)
        asked += [f"decide.target_precision with decide.hold={hold}"] * bool(hold)
        raise DataError(
            f"{' and '.join(asked)} needs {wanted:,} texts with gold labels; in {found.of} there are {len(found.gold):,}. "
            "Ask for fewer, or name their column with input.label_column"
        )
    return found


def fit(
    config: ZeroshotConfig, prior: Prior, choice: Choice, labels: LabelSets, seen: Survey, scorer: Scorer
) -> Decision:
    """Score the texts that were drawn, and find what was asked for on them."""
    common = labels.common
    shift_at = _shifts(prior, choice, seen, scorer, common) if prior.needs_sample else None
    gold = seen.gold[: config.calibrate.fit]
    if gold:
        logits_NL, has_NL = _rows(gold, common, scorer)
        fitted = fit_temperature(logits_NL, has_NL, choice, shift_at)
        calibration = fitted.calibration
        told = f"{calibration.temperature:.3g} fitted on {len(gold):,} gold texts; they are left out of the scores"
        log.info("temperature %s (negative log-likelihood %.3f)", told, fitted.nll)
        if fitted.at_end:
            log.warning("the gold texts do not say which temperature is best: it is at the end of its range")
    else:
        temperature = config.calibrate.temperature
        calibration = Calibration(temperature, shift_at(temperature) if shift_at else None)
    if shift_at is not None:
        _tell_prior(config.prior.name, choice, seen, scorer, common, calibration)
    return _with_threshold(config, choice, calibration, seen.gold[config.calibrate.fit :], scorer, common)


def _shifts(
    prior: Prior, choice: Choice, seen: Survey, scorer: Scorer, labels: tuple[str, ...]
) -> Callable[[float], np.ndarray]:
    if not seen.sample:
        raise DataError("there are no texts: give --text, --file, or lines on standard input")
    logits_SL = scorer([kept.text for kept in seen.sample])
    weights_S = seen.drawn.weights_S
    return lambda temperature: prior.shift(Sampled(logits_SL / temperature, weights_S, labels), choice)


def _rows(gold: Sequence[Kept], labels: tuple[str, ...], scorer: Scorer) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of the rows of gold texts, both [N, L]; a text may have several rows, with different labels."""
    logits_SL = scorer([kept.text for kept in gold])
    index = {name: i for i, name in enumerate(labels)}
    logits, has = [], []
    for kept, logits_L in zip(gold, logits_SL, strict=True):
        for names, times in sorted(kept.golds.items()):
            has_L = np.zeros(len(labels), bool)
            has_L[[index[name] for name in names]] = True
            logits += [logits_L] * times
            has += [has_L] * times
    return np.stack(logits), np.stack(has)


def _tell_prior(
    name: str, choice: Choice, seen: Survey, scorer: Scorer, labels: tuple[str, ...], calibration: Calibration
) -> None:
    logits_SL = scorer([kept.text for kept in seen.sample])
    before = seen.drawn.weights_S @ choice.probabilities(logits_SL / calibration.temperature)
    after = seen.drawn.weights_S @ choice.probabilities(calibration(logits_SL))
    moves = [f"{n} {b:.3f} -> {a:.3f}" for n, b, a in zip(labels, before, after, strict=True)]
    more = f" and {len(moves) - _SHOWN:,} more" if len(moves) > _SHOWN else ""
    drawn = f"{len(seen.sample):,} texts drawn from {seen.of}"
    log.info("prior    %s, on %s; mean prediction %s%s", name, drawn, ", ".join(moves[:_SHOWN]), more)
    lost = [n for n, b, a in zip(labels, before, after, strict=True) if b >= _SEEN and a < _LOST]
    if lost:
        named = ", ".join(lost[:_SHOWN])
        log.warning(
            "prior: hardly any text is left for %s; if that is not so, give shares or another calibrate.temperature",
            named,
        )


def _with_threshold(
    config: ZeroshotConfig, choice: Choice, calibration: Calibration, gold: Sequence[Kept], scorer: Scorer, labels: tuple[str, ...],
) -> Decision:  # fmt: skip
    target, confidence = config.decide.target_precision, config.decide.confidence
    if target is None:
        return Decision(choice, calibration, config.decide.abstain)
    logits_NL, has_NL = _rows(gold, labels, scorer)
    p_NL = choice.probabilities(calibration(logits_NL))
    right_N = has_NL[np.arange(len(has_NL)), p_NL.argmax(axis=1)]
    found = precision_threshold(p_NL.max(axis=1), right_N, target, confidence)
    held = f"{len(gold):,} held gold texts"
    if found is None:
        _warn_unreachable(best_precision(p_NL.max(axis=1), right_N, confidence), len(right_N), held, config)
        found = 2.0  # above any probability
    else:
        kept = float((p_NL.max(axis=1) >= found).mean())
        told = f"a precision of {target:g} on {held} (confidence {confidence:g}) and answers {100 * kept:.1f} % of them"
        log.info("threshold %.4g reaches %s; they are left out of the scores", found, told)
    return Decision(dataclasses.replace(OneOf(), least=found), calibration, found)


def _warn_unreachable(best: Reachable, rows: int, held: str, config: ZeroshotConfig) -> None:
    """Say what precision can be had instead, and how more can be shown."""
    decide = config.decide
    target = (
        f"no threshold shows a precision of {decide.target_precision:g} on {held} (confidence {decide.confidence:g})"
    )
    if not best.right:
        log.warning("%s, since no top answer is right: nothing is answered. `mtl doctor` looks at the labels", target)
        return
    shown = math.floor(1000 * best.precision) / 1000
    log.warning(
        "%s: nothing is answered. The best that can be shown is %g, where the most probable %.1f %% are answered (%d of %d right). "
        "Ask for that (decide.target_precision=%g), hold out more gold texts (decide.hold=%d), or look at the labels (`mtl doctor`)",
        target, shown, 100 * best.answered / rows, best.right, best.answered, shown, 2 * decide.hold,
    )  # fmt: skip
