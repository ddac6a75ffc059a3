"""Labels that the engine does not tell apart on the texts. Legend: L labels, S sampled texts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtl_cli.zeroshot.doctor.base import Evidence, Finding, Scored, listed, short, top_pairs

_RARE = 3
"""Texts a label that there must be before one that never comes first is worth a word: with equal shares 1 of 20 would be unlucky."""
_DO = "describe each by what the other is not, or make one label of them; another engine may tell them apart"


def inseparable(evidence: Evidence) -> Iterator[Finding]:
    """Pairs of labels that get almost the same probability wherever they get any."""
    if evidence.scored is None:
        return
    margins_LL = relative_margins(evidence.scored)
    pairs, number = top_pairs(-margins_LL, -evidence.limits.margin, evidence.limits.shown)
    names = evidence.names
    for a, b in pairs:
        told = f"the engine hardly tells {short(names[a])} from {short(names[b])}: on these texts their probabilities differ by "
        share = f"{100 * margins_LL[a, b]:.1f} % of their sum"
        yield Finding("warning", "separation", (names[a], names[b]), f"{told}{share}", _DO)
    if number > len(pairs):
        found = f"the engine hardly tells the labels of {number - len(pairs):,} more pairs apart"
        yield Finding("warning", "separation", (), found, _DO)


def first_places(evidence: Evidence) -> Iterator[Finding]:
    """Labels that no text is given to, and one that nearly all are given to."""
    scored, names = evidence.scored, evidence.names
    if scored is None or len(names) < 2:
        return
    shares_L = first_shares(scored)
    most = int(shares_L.argmax())
    if shares_L[most] >= evidence.limits.share:
        found = f"{short(names[most])} is the best label of {100 * shares_L[most]:.0f} % of the texts"
        do = "if that is not so, describe it more narrowly, or say what is known of the shares with prior=shares"
        yield Finding("warning", "first places", (names[most],), found, do)
    texts = len(scored.weights_S)
    never = tuple(name for name, share in zip(names, shares_L, strict=True) if share == 0)
    if never and texts >= _RARE * len(names):
        found = f"{listed(never)} {'is' if len(never) == 1 else 'are'} never the best label of {texts:,} texts"
        yield Finding(
            "warning", "first places", never, found, "if there should be such texts, say more of what they are about"
        )
    elif never:
        found = f"{texts:,} texts are too few to say which of {len(names):,} labels are never chosen"
        yield Finding("note", "first places", (), found, f"look at more: doctor.sample={_RARE * len(names)}")


def first_shares(scored: Scored) -> np.ndarray:
    """Share of the rows that each label is the best of, shape [L]; the first of equals."""
    return np.bincount(scored.p_SL.argmax(axis=1), weights=scored.weights_S, minlength=scored.p_SL.shape[1])


def relative_margins(scored: Scored) -> np.ndarray:
    """sum_s w_s |p_sa - p_sb| / sum_s w_s (p_sa + p_sb) of each pair, shape [L, L]: 0 if two labels always get the same, 1 if
    never both get anything. Texts count for a pair as much as it gets of them."""
    labels = scored.p_SL.shape[1]
    apart_LL = np.zeros((labels, labels))
    for p_L, weight in zip(scored.p_SL, scored.weights_S, strict=True):
        apart_LL += weight * np.abs(p_L[:, None] - p_L[None, :])
    mean_L = scored.weights_S @ scored.p_SL
    return apart_LL / np.maximum(mean_L[:, None] + mean_L[None, :], 1e-300)
