"""Labels whose word means several things. Legend: S sampled texts, M meanings, D width."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mtl_cli.zeroshot.doctor.base import Encode, Evidence, Finding, Meanings, listed
from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.lexicon.terms import spaced
from mtl_cli.zeroshot.lexicon.wordnet import Sense

Lookup = Callable[[str], Sequence[Sense]]
"""A word in lower case -> its meanings, the most frequent first."""
_NAMES = ("n", "a")
"""Parts of speech that labels are: of a word that is a noun and a verb, the noun is meant."""
_CAPITALS = re.compile(r"[A-Z]{2,5}")
_LOOKED_AT = 6
"""Meanings of a word, from the most frequent on."""
_NEAREST = 0.1
"""Share of the texts that a meaning is compared with: those that it fits best, since most texts are about other labels."""
_MARGIN = 0.1
"""Cosine by which a meaning must be nearer to them than the most frequent one."""


def several_senses(evidence: Evidence) -> Iterator[Finding]:
    """Words without a description that are used in other ways nearly as often, or oftener."""
    mains = [
        (_main_share(found.senses), spoken.label.name)
        for spoken, found in zip(evidence.labels, evidence.meanings or (), strict=False)
        if len(found.senses) > 1 and spoken.label.description is None
    ]
    names = tuple(name for share, name in sorted(mains) if share < evidence.limits.sense)
    if names:
        most = f"their most frequent meaning is less than {100 * evidence.limits.sense:.0f} % of their uses"
        do = "a description says which meaning it is; look at the suggestion"
        yield Finding("note", "senses", names, f"words of several meanings: {listed(names)}; {most}", do)


def abbreviations(evidence: Evidence) -> Iterator[Finding]:
    """Capitals that no dictionary has: a model may have met them or not."""
    names = tuple(
        spoken.label.name for spoken, found in zip(evidence.labels, evidence.meanings or (), strict=False)
        if not found.senses and spoken.label.description is None and _CAPITALS.fullmatch(spoken.label.words[0].text)
    )  # fmt: skip
    if names:
        told = f"{listed(names)}: capitals that WordNet does not have, so perhaps your own abbreviations"
        yield Finding("warning", "names", names, told, f'write them out: "{names[0]}=words"')


def unusual_senses(evidence: Evidence) -> Iterator[Finding]:
    """Words that the texts use in another way than most."""
    names = tuple(
        spoken.label.name for spoken, found in zip(evidence.labels, evidence.meanings or (), strict=False)
        if found.meant and spoken.label.description is None
    )  # fmt: skip
    if names:
        told = f"by these texts not the most frequent meaning of the word is meant: {listed(names)}"
        yield Finding("warning", "senses", names, told, "a description says which one it is; look at the suggestion")


def meanings(
    labels: Sequence[Label], lookup: Lookup, encode: Encode | None, texts: Sequence[str]
) -> tuple[Meanings, ...]:
    """What the label's words mean: by the texts if there are some, else the most frequent meaning.

    A meaning fits the texts as well as the mean cosine of its gloss to the tenth of them that it is nearest to.
    """
    senses_L = [_senses(label, lookup) for label in labels]
    glosses = list(dict.fromkeys(gloss(sense) for senses in senses_L if len(senses) > 1 for sense in senses))
    if encode is None or not texts or not glosses:
        return tuple(Meanings(senses) for senses in senses_L)
    cosines_MS = encode(glosses) @ encode(texts).T
    nearest_MS = np.sort(cosines_MS, axis=1)[:, -max(1, round(_NEAREST * len(texts))) :]
    fits = dict(zip(glosses, nearest_MS.mean(axis=1).tolist(), strict=True))
    return tuple(Meanings(senses, _meant(senses, fits)) for senses in senses_L)


def gloss(sense: Sense) -> str:
    """A meaning in a sentence that begins with its word."""
    return f"{sense.lemma}: {sense.synset.gloss}"


def _senses(label: Label, lookup: Lookup) -> tuple[Sense, ...]:
    """Of the label's own word as a whole, in one part of speech."""
    found = [sense for sense in lookup(spaced(label.words[0].text)) if sense.synset.gloss]
    found = [
        sense for sense in found if sense.lemma in sense.synset.words
    ] or found  # writers and towns are capitalised
    naming = [sense for sense in found if sense.synset.kind in _NAMES] or found
    return tuple(sense for sense in naming if sense.synset.kind == naming[0].synset.kind)[:_LOOKED_AT]


def _main_share(senses: Sequence[Sense]) -> float:
    """How often the most frequent meaning is meant; one use is added to each, since unseen is not never."""
    uses = [sense.count + 1 for sense in senses]
    return uses[0] / sum(uses)


def _meant(senses: Sequence[Sense], fits: dict[str, float]) -> int:
    if len(senses) < 2:
        return 0
    own = [fits[gloss(sense)] for sense in senses]
    best = max(range(len(own)), key=own.__getitem__)
    return best if own[best] > own[0] + _MARGIN else 0
