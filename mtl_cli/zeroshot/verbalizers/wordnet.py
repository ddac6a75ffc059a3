"""Words and glosses of WordNet for the sense of a label that fits the texts. Legend: L labels, S senses, D width."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtl_cli.errors import ConfigError, DataError, Fault
from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.lexicon.terms import Compound, compound, parts, spaced
from mtl_cli.zeroshot.lexicon.wordnet import Sense, WordNet
from mtl_cli.zeroshot.scoring.encoder import TextEncoder
from mtl_cli.zeroshot.scoring.method import Drawn
from mtl_cli.zeroshot.scoring.models import Models
from mtl_cli.zeroshot.verbalizers.base import Candidate, Expansion, Verbalizer
from mtl_cli.zeroshot.verbalizers.sieve import Found, Sieve

DEBIAN = Path("/usr/share/wordnet")
"""Where Debian's `wordnet-base` puts the files."""
_SIMILAR, _DERIVED, _DOWN = 0.5, 0.5, 0.5
"""Weights of words from near senses, of derived words, and of each step down to narrower ones; a synonym has 1."""


@dataclass(frozen=True)
class Chosen:
    """What a part of a label is taken to mean."""

    sense: Sense
    why: str
    """Why this one of its senses."""
    around: Compound | None
    """The part, where its head alone was found."""


class WordNetVerbalizer(Verbalizer):
    """Synonyms, narrower terms and derived words; the gloss of the sense as description.

    The sense is the one whose gloss is nearest to the mean vector of the texts, if it is nearer than the most frequent one's by
    `margin`. A label that WordNet does not have as a whole is looked up by its head: `card arrival` as an `arrival`.

    Args:
        models: for the encoder.
        path: folder of WordNet's files; None: what `mtl offline add wordnet` brought, else Debian's.
        words: whether labels get words.
        describe: whether labels without a description get the gloss as one.
        sense: by `texts`, or the `first`, which is the most frequent one and needs no encoder.
        margin: by which a gloss must be nearer, as a difference of cosines.
        head: whether a phrase that is not there as a whole is looked up by its head.
        depth: steps down to narrower terms.
        most: see `Sieve`, as what follows.
    """

    def __init__(
        self, models: Models, *, path: str | None, words: bool, describe: bool, sense: str, margin: float, head: bool, depth: int,
        most: int, longest: int, weight: float, least_similarity: float | None,
    ) -> None:  # fmt: skip
        if sense not in ("texts", "first"):
            raise ValueError(f"sense must be texts or first; found {sense}")
        if depth < 0 or margin < 0:
            raise ValueError(f"depth and margin must be 0 or more; found {depth} and {margin:g}")
        self._models, self._words, self._describe = models, words, describe
        self._by_texts, self._margin, self._head, self._depth = sense == "texts", margin, head, depth
        self._wordnet = WordNet(_folder(path, models.offline))
        self._sieve = Sieve(self._vectors, most=most, longest=longest, weight=weight, least_similarity=least_similarity)

    @property
    def needs_sample(self) -> bool:
        """Whether senses are chosen by texts."""
        return self._by_texts

    def expand(self, labels: Sequence[Label], drawn: Drawn) -> tuple[Expansion, ...]:
        """Words and gloss of each label."""
        mean_D = self._mean(drawn) if self._by_texts and drawn.texts else None
        return self._sieve(labels, [self._found(label, mean_D) for label in labels])

    def _found(self, label: Label, mean_D: np.ndarray | None) -> Found:
        if len(label.words) > 1:
            return Found(told="it has words of its own")
        text = spaced(label.words[0].text)
        pieces = (text,) if self._wordnet.senses(text) else parts(text)
        chosen = [one for piece in pieces if (one := self._chosen(piece, mean_D)) is not None]
        if not chosen:
            return Found(told=f"WordNet has no '{text}'")
        whole = len(chosen) == len(pieces) and all(one.around is None and one.sense.synset.gloss for one in chosen)
        describe = self._describe and whole and label.description is None
        return Found(
            tuple(word for one in chosen for word in self._candidates(one)) if self._words else (),
            "; ".join(one.sense.synset.gloss for one in chosen) if describe else None,
            "; ".join(f"{one.sense.name} ({one.why})" for one in chosen),
        )

    def _chosen(self, part: str, mean_D: np.ndarray | None) -> Chosen | None:
        senses, around = self._wordnet.senses(part), None
        if not senses and self._head and (around := compound(part)) is not None:
            senses = self._wordnet.senses(around.head)
        if not senses:
            return None
        if mean_D is None or len(senses) == 1:
            return Chosen(senses[0], "the only one" if len(senses) == 1 else "the most frequent", around)
        cosines = (self._vectors([f"{sense.lemma}: {sense.synset.gloss}" for sense in senses]) @ mean_D).tolist()
        best = max(range(len(senses)), key=lambda s: cosines[s])
        if cosines[best] <= cosines[0] + self._margin:
            return Chosen(
                senses[0],
                f"the most frequent; cosine to the texts {cosines[0]:.2f}, the best {cosines[best]:.2f}",
                around,
            )
        why = f"nearest to the texts; cosine {cosines[best]:.2f}, the most frequent {cosines[0]:.2f}"
        return Chosen(senses[best], why, around)

    def _candidates(self, chosen: Chosen) -> Iterator[Candidate]:
        for word, weight, relation in self._related(chosen.sense):
            text = word if chosen.around is None else chosen.around.instead(word)
            yield Candidate(text, weight, f"{relation} {chosen.sense.lemma}")

    def _related(self, sense: Sense) -> Iterator[tuple[str, float, str]]:
        """Words with their weights and what they are to the sense."""
        synset = sense.synset
        yield from ((word, 1.0, "synonym of") for word in synset.words)
        yield from ((word, _DERIVED, "derived from") for word in self._wordnet.derived(synset, sense.lemma))
        for near in self._wordnet.neighbours(synset, ("&",)):
            yield from ((word, _SIMILAR, "similar to") for word in near.words)
        level, seen = [synset], {(synset.kind, synset.offset)}
        for step in range(1, self._depth + 1):
            below = [child for one in level for child in self._wordnet.neighbours(one, ("~",))]
            level = [child for child in below if (child.kind, child.offset) not in seen]
            seen |= {(child.kind, child.offset) for child in level}
            for child in level:
                yield from (
                    (word, _DOWN**step, "kind of" if step == 1 else f"kind of ({step} steps)") for word in child.words
                )

    def _mean(self, drawn: Drawn) -> np.ndarray:
        """Mean vector of the texts by the shares that they stand for, scaled to length 1."""
        mean_D = drawn.weights_S @ self._vectors(drawn.texts)
        return mean_D / max(float(np.linalg.norm(mean_D)), 1e-12)

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        return self._encoder(texts)

    @functools.cached_property
    def _encoder(self) -> TextEncoder:
        return self._models.encoder()


def _folder(path: str | None, offline: Path) -> Path:
    """Where the files are. Raises `ConfigError` if they are nowhere."""
    places = [Path(path).expanduser()] if path is not None else [offline / "wordnet", DEBIAN]
    there = [place for place in places if (place / "data.noun").is_file()]
    if not there:
        looked = " or ".join(map(str, places))
        get = (
            "get it with: mtl offline add wordnet, or Debian's wordnet-base"
            if path is None
            else "it holds data.noun, index.noun and so on"
        )
        raise ConfigError([Fault("verbalizer.path", f"there is no WordNet in {looked}; {get}")])
    try:
        WordNet(there[0])
    except DataError as error:
        raise ConfigError([Fault("verbalizer.path", str(error))]) from error
    return there[0]
