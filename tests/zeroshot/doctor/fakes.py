"""Evidence in which all is known."""

import numpy as np

from mtl_cli.zeroshot.doctor.base import Evidence, Limits, Meanings, Scored, Spoken, Vectors
from mtl_cli.zeroshot.lexicon.wordnet import Sense, Synset
from mtl_cli.zeroshot.scoring.pieces import Pieces, cut
from tests.zeroshot.fakes import byte_tokenizer, named

LIMITS = Limits(similar=0.7, margin=0.1, share=0.9, tokens=20, sense=0.6, shown=3)


def spoken(label, *ids, unknown=0):
    """A label whose first words have these token ids; without any, its bytes."""
    texts = [phrase.words for phrase in label.phrases]
    pieces = (Pieces(ids, unknown),) * len(texts) if ids or unknown else tuple(cut(byte_tokenizer(512), texts))
    return Spoken(label, label.phrases, pieces)


def evidence(labels, *, sums_tokens=False, templates=("{}",), **parts):
    known = tuple(one if isinstance(one, Spoken) else spoken(one, i) for i, one in enumerate(labels))
    return Evidence(known, LIMITS, sums_tokens, templates, **parts)


def of_names(*names, template="{}", **parts):
    """Labels with one token each, no two the same."""
    return evidence(named(*names, template=template), templates=(template,), **parts)


def vectors(*rows, unrelated=0.0):
    rows_LD = np.array(rows, np.float64)
    return Vectors(rows_LD / np.linalg.norm(rows_LD, axis=1, keepdims=True), unrelated, "an encoder")


def scored(*rows):
    """Probabilities of texts that stand for as many rows each."""
    p_SL = np.array(rows, np.float64)
    return Scored(np.log(np.maximum(p_SL, 1e-12)), p_SL, np.full(len(p_SL), 1 / len(p_SL)))


def sense(lemma, gloss, count=0, kind="n", number=1, of=2):
    return Sense(lemma, number, of, count, Synset(kind, 0, (lemma,), gloss, ()))


def meanings(*senses, meant=0):
    return Meanings(senses, meant)
