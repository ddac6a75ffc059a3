"""Labels that say the same, or nearly so. Legend: L labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np

from mtl_cli.zeroshot.doctor.base import Evidence, Finding, Severity, Spoken, listed, short, top_pairs

_ALMOST = "differ in case or punctuation alone"
_Key = Callable[[Spoken], Hashable]
"""What labels are equal by; nothing: the label is left out."""
_DO = "say what sets them apart, with a description or other words, or make one label of them"


def same_words(evidence: Evidence) -> Iterator[Finding]:
    """Labels of the same phrases, the same tokens, or the same but for case and punctuation."""
    exact = _groups(evidence, lambda spoken: frozenset(phrase.text for phrase in spoken.phrases))
    tokens = _groups(evidence, _tokens)
    plain = _groups(evidence, _plain_phrases)
    told: set[tuple[str, ...]] = set()
    for groups, found in (
        (exact, "are the same words"),
        (tokens, "are the same tokens to the model"),
        (plain, _ALMOST),
    ):
        for names in groups:
            if names not in told:
                told.add(names)
                severity: Severity = "warning" if found is _ALMOST else "problem"
                yield Finding(severity, "same words", names, f"{listed(names)} {found}", _DO)


def near_duplicates(evidence: Evidence) -> Iterator[Finding]:
    """Pairs of labels whose vectors are close."""
    vectors = evidence.vectors
    if vectors is None:
        return
    cosines_LL = vectors.labels_LD @ vectors.labels_LD.T
    same_LL = _same([_plain_phrases(spoken) for spoken in evidence.labels])
    scaled_LL = np.where(same_LL, -1.0, (cosines_LL - vectors.unrelated) / max(1 - vectors.unrelated, 1e-6))
    pairs, number = top_pairs(scaled_LL, evidence.limits.similar, evidence.limits.shown)
    names = evidence.names
    for a, b in pairs:
        told = f"{short(names[a])} and {short(names[b])} mean nearly the same to {vectors.encoder}: their cosine is {cosines_LL[a, b]:.2f}"
        unrelated = f"where unrelated words have {vectors.unrelated:.2f}"
        yield Finding("warning", "near duplicates", (names[a], names[b]), f"{told}, {unrelated}", _DO)
    if number > len(pairs):
        found = f"{number - len(pairs):,} more pairs of labels mean nearly the same"
        yield Finding("warning", "near duplicates", (), found, _DO)


def _groups(evidence: Evidence, key: _Key) -> Sequence[tuple[str, ...]]:
    """Names of labels with equal keys, where there are several."""
    found: dict[Hashable, list[str]] = defaultdict(list)
    for spoken in evidence.labels:
        if what := key(spoken):
            found[what].append(spoken.label.name)
    return [tuple(names) for names in found.values() if len(names) > 1]


def _tokens(spoken: Spoken) -> Hashable:
    pairs = zip(spoken.phrases, spoken.pieces or (), strict=False)
    return frozenset((phrase.before, pieces.ids, phrase.after) for phrase, pieces in pairs)


def _plain_phrases(spoken: Spoken) -> Hashable:
    return frozenset(_plain(phrase.text) for phrase in spoken.phrases)


def _same(keys: Sequence[Hashable]) -> np.ndarray:
    """Which keys are equal, shape [L, L]."""
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    places_L = np.array([number[key] for key in keys])
    return places_L[:, None] == places_L[None, :]


def _plain(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum()) or text


def mean_vectors(vectors_PD: np.ndarray, weights: Sequence[Sequence[float]]) -> np.ndarray:
    """Means of runs of rows, scaled to length 1, shape [L, D].

    Args:
        vectors_PD: the phrases of all labels, one label after the other.
        weights: of the phrases of each label.
    """
    ends = np.cumsum([len(own) for own in weights])[:-1]
    means_LD = np.stack(
        [np.average(own, axis=0, weights=w) for own, w in zip(np.split(vectors_PD, ends), weights, strict=True)]
    )
    return means_LD / np.maximum(np.linalg.norm(means_LD, axis=1, keepdims=True), 1e-12)
