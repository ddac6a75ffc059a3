"""Pairs of texts put together from token ids. Legend: M first texts, H second texts, C classes, B rows, L tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric

from mtl_cli.data.lengths import token_batches
from mtl_cli.data.text import TextInputs
from mtl_cli.errors import ConfigError
from mtl_cli.zeroshot.scoring.models import Classifier
from mtl_cli.zeroshot.scoring.pieces import Pieces, cut
from mtl_cli.zeroshot.scoring.plan import Plan, planned

_PROBE = ("one two three", "four")
"""Any two texts whose tokens are not special ones."""


@dataclass(frozen=True)
class PairLayout:
    """The special tokens of a pair, with the type ids of all its pieces."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[int, int, int, int, int]
    """Of before, first text, between, second text, after."""

    @property
    def special(self) -> int:
        """Special tokens of a pair."""
        return len(self.before) + len(self.between) + len(self.after)


class PairScorer(ABC):
    """Scores every pair of two lists of texts. Each text is tokenised once, however many pairs it is in.

    Only the first text of a pair is ever cut, and how much of it is kept depends on nothing but the pair.

    Args:
        model: a classifier of pairs.
        fabric: for the precision.
        max_length: tokens a pair, beside the limit of the model.
        batch_tokens: padded tokens a forward pass.

    Raises:
        ConfigError: the tokenizer puts pairs together in a way that is not known here.
    """

    def __init__(self, model: Classifier, fabric: Fabric, *, max_length: int, batch_tokens: int) -> None:
        self._model, self._fabric, self._batch_tokens = model, fabric, batch_tokens
        self.max_length = min(max_length, model.limit or max_length)
        """Tokens a pair at most."""
        self._layout = _layout(model)
        self._cuts_head = model.tokenizer.truncation_side == "left"
        self._takes_types = "token_type_ids" in model.tokenizer.model_input_names
        self.truncated = 0
        """First texts that were cut so far."""

    @property
    def second_limit(self) -> int:
        """Tokens that a second text may have, so that one of the first has a place."""
        return self.max_length - self._layout.special - 1

    def tokenised(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Token ids of each text, without special tokens."""
        if not texts:
            return []
        tokenizer = self._model.tokenizer
        found = tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False).encodings
        return [np.array(e.ids, np.int64) for e in found]

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """How the model's tokenizer cuts texts."""
        return cut(self._model.tokenizer, texts)

    def plan(self, firsts: Sequence[str], seconds: Sequence[np.ndarray]) -> Plan:
        """What scoring every pair would take."""
        second_H = _lengths(seconds)
        kept_MH = self._kept(_lengths(self.tokenised(firsts)), second_H)
        passes = self._row_lengths(kept_MH, second_H)
        return sum((planned(lengths, self._batch_tokens) for lengths in passes), Plan(0, 0))

    @torch.inference_mode()
    def __call__(self, firsts: Sequence[str], seconds: Sequence[np.ndarray]) -> np.ndarray:
        """Logits of every pair, float64, shape [M, H, C]; the second texts are token ids of at most `second_limit`."""
        first_ids = self.tokenised(firsts)
        first_M = _lengths(first_ids)
        kept_MH = self._kept(first_M, _lengths(seconds))
        self.truncated += int((kept_MH < first_M[:, None]).any(axis=1).sum())
        return self._scored(first_ids, seconds, kept_MH)

    def scores_seconds_alone(self, firsts: int) -> bool:  # noqa: ARG002
        """Whether a second text's logits beside so many first ones are the same, to the last bit, whatever the other second ones are."""
        return False

    @abstractmethod
    def _row_lengths(self, kept_MH: np.ndarray, second_H: np.ndarray) -> list[np.ndarray]:
        """Tokens of each row that would go through the model: an array for those that are put into batches together."""

    @abstractmethod
    def _scored(self, firsts: Sequence[np.ndarray], seconds: Sequence[np.ndarray], kept_MH: np.ndarray) -> np.ndarray:
        """Logits of every pair, of whose first text so many tokens are kept."""

    def _kept(self, first_M: np.ndarray, second_H: np.ndarray) -> np.ndarray:
        """Tokens of the first text that are kept in each pair, shape [M, H]."""
        return np.minimum(first_M[:, None], self.max_length - self._layout.special - second_H[None, :])

    def _cut(self, first: np.ndarray, kept: int) -> np.ndarray:
        return first[len(first) - kept :] if self._cuts_head else first[:kept]

    def _logits(self, inputs: TextInputs) -> np.ndarray:
        with self._fabric.autocast():
            return self._model.forward(inputs.to(self._fabric.device)).float().cpu().numpy()


def _lengths(pieces: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([len(piece) for piece in pieces], np.int64)


_MANY = 32
"""First texts from which on a second one fills batches by itself."""


class Pairs(PairScorer):
    """One row a pair. Beside many first texts each second one has batches of its own, so that a new one changes no other's."""

    def scores_seconds_alone(self, firsts: int) -> bool:
        """Beside many first texts."""
        return firsts >= _MANY

    def _row_lengths(self, kept_MH: np.ndarray, second_H: np.ndarray) -> list[np.ndarray]:
        around = self._layout.special
        return [kept_MH[first, second] + second_H[second] + around for first, second in self._parts(kept_MH.shape)]

    def _parts(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """Places of the pairs that are put into batches together: of the first and of the second text, shape [2, B]."""
        places_2HM = np.indices(shape).swapaxes(1, 2)
        whole = [places_2HM.reshape(2, -1)]
        return list(places_2HM.swapaxes(0, 1)) if self.scores_seconds_alone(shape[0]) else whole

    def _scored(self, firsts: Sequence[np.ndarray], seconds: Sequence[np.ndarray], kept_MH: np.ndarray) -> np.ndarray:
        out_MHC = np.empty((*kept_MH.shape, len(self._model.classes)), np.float64)
        lengths = self._row_lengths(kept_MH, _lengths(seconds))
        for places_2B, lengths_B in zip(self._parts(kept_MH.shape), lengths, strict=True):
            for rows in token_batches(lengths_B, self._batch_tokens):
                first, second = places_2B[:, rows]
                pairs = [(self._cut(firsts[m], kept_MH[m, h]), seconds[h]) for m, h in zip(first, second, strict=True)]
                out_MHC[first, second] = self._logits(self._inputs(pairs))
        return out_MHC

    def _inputs(self, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> TextInputs:
        layout = self._layout
        around = [np.array(piece, np.int64) for piece in (layout.before, layout.between, layout.after)]
        rows = [(around[0], first, around[1], second, around[2]) for first, second in pairs]
        types = [np.repeat(layout.types, [len(piece) for piece in row]) for row in rows] if self._takes_types else None
        return TextInputs.of([np.concatenate(row) for row in rows], types)


def _layout(model: Classifier) -> PairLayout:
    """Read the layout off one pair."""
    tokenizer = model.tokenizer
    pair = tokenizer(*_PROBE, verbose=False)
    ids, sides = list(pair["input_ids"]), pair.sequence_ids(0)
    types = list(pair.encodings[0].type_ids)
    alone = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in _PROBE]
    begin, end = sides.index(0), len(sides) - sides[::-1].index(0)
    second, last = sides.index(1), len(sides) - sides[::-1].index(1)
    spans = ((0, begin), (begin, end), (end, second), (second, last), (last, len(ids)))
    same = ids[begin:end] == alone[0] and ids[second:last] == alone[1]
    if not same or any(len(set(types[a:b])) > 1 for a, b in spans):
        raise ConfigError(
            f"the tokenizer of {model.identity} does not put a pair together from the tokens of its texts and special "
            "tokens around them; nli needs one that does"
        )
    of = [types[a] if b > a else 0 for a, b in spans]
    return PairLayout(
        tuple(ids[:begin]), tuple(ids[end:second]), tuple(ids[last:]), (of[0], of[1], of[2], of[3], of[4])
    )
