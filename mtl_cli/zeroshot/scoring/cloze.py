"""Texts with a gap behind them, and what fills it. Legend: N texts, H phrases, B rows, L tokens, K masks, V vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from tokenizers import Encoding

from mtl_cli.data.lengths import token_batches
from mtl_cli.data.text import TextInputs
from mtl_cli.errors import ConfigError
from mtl_cli.model.masked import MaskedModel
from mtl_cli.zeroshot.labels.label_set import Phrase
from mtl_cli.zeroshot.scoring.plan import Plan, planned

_LOGITS = 1 << 26
"""Logits held at once: with a large vocabulary they weigh more than the states."""
_PROBE = "one two three"
"""Any text whose tokens are not special ones."""


@dataclass(frozen=True)
class Gap:
    """What stands behind a text: tokens around K masks."""

    before: tuple[int, ...]
    masks: int
    after: tuple[int, ...]

    @property
    def size(self) -> int:
        """Tokens in all."""
        return len(self.before) + self.masks + len(self.after)


@dataclass(frozen=True)
class Filling:
    """A phrase as a gap and the tokens that fill it."""

    gap: Gap
    ids: tuple[int, ...]


class Gaps:
    """Scores what fills gaps behind texts. A text goes through the model once for each gap, however many words may fill it.

    Only the text is ever cut.

    Args:
        model: fills the gaps; moved to the device.
        fabric: device and precision.
        max_length: tokens of text and gap, beside the limit of the model.
        batch_tokens: padded tokens a forward pass.
        join: stands between a text and its gap.

    Raises:
        ConfigError: the tokenizer puts special tokens elsewhere than around a text.
    """

    def __init__(self, model: MaskedModel, fabric: Fabric, *, max_length: int, batch_tokens: int, join: str) -> None:
        fabric.to_device(model.model)
        self._model, self._fabric, self._batch_tokens, self._join = model, fabric, batch_tokens, join
        self.max_length = min(max_length, model.limit or max_length)
        """Tokens of text and gap at most."""
        self._begin, self._end = self._special()
        self._cuts_head = model.tokenizer.truncation_side == "left"
        self.truncated = 0
        """Texts that were cut so far."""

    @property
    def room(self) -> int:
        """Tokens that a gap may have, so that one of the text has a place."""
        return self.max_length - len(self._begin) - len(self._end) - 1

    def filling(self, phrase: Phrase) -> Filling:
        """The gap and its filling: the tokens that hold a character of the phrase's words, with the white space that belongs to them."""
        start = len(self._join) + len(phrase.before)
        stop = start + len(phrase.words)
        found = self._tokenised([f"{self._join}{phrase.text}"])[0]
        inside = [i for i, (a, b) in enumerate(found.offsets) if start < stop and a < stop and b > start]
        first, last = (inside[0], inside[-1] + 1) if inside else (0, 0)
        ids = tuple(found.ids)
        return Filling(Gap(ids[:first], last - first, ids[last:]), ids[first:last])

    def plan(self, texts: Sequence[str], fillings: Sequence[Filling]) -> Plan:
        """What scoring them would take."""
        sizes_N = np.array([len(one.ids) for one in self._tokenised(texts)], np.int64)
        gaps = dict.fromkeys(filling.gap for filling in fillings)
        return sum((planned(self._lengths(sizes_N, gap), self._batch_tokens) for gap in gaps), Plan(0, 0))

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str], fillings: Sequence[Filling]) -> np.ndarray:
        """Mean log-probability of the tokens of each filling behind each text, float64, shape [N, H]."""
        ids = [np.array(one.ids, np.int64) for one in self._tokenised(texts)]
        columns: dict[Gap, list[int]] = {}
        for column, filling in enumerate(fillings):
            columns.setdefault(filling.gap, []).append(column)
        sizes_N = np.array([len(one) for one in ids], np.int64)
        cut_N = np.zeros(len(texts), bool)
        out_NH = np.empty((len(texts), len(fillings)), np.float64)
        for gap, own in columns.items():
            lengths_N = self._lengths(sizes_N, gap)
            cut_N |= lengths_N < sizes_N + self._around(gap)
            tokens_HK = torch.tensor([fillings[column].ids for column in own], device=self._fabric.device)
            for rows in self._batches(lengths_N, gap):
                out_NH[np.ix_(rows, np.array(own))] = self._scores(
                    [ids[row] for row in rows], lengths_N[rows], gap, tokens_HK
                )
        self.truncated += int(cut_N.sum())
        return out_NH

    def _scores(self, ids: Sequence[np.ndarray], lengths: np.ndarray, gap: Gap, tokens_HK: torch.Tensor) -> np.ndarray:
        inputs, places_BK = self._inputs(ids, lengths, gap)
        with self._fabric.autocast():
            logits_BKV = self._model.logits(inputs.to(self._fabric.device), places_BK.to(self._fabric.device))
        log_p_BKV = logits_BKV.float().log_softmax(-1)
        picked_BKH = log_p_BKV.gather(2, tokens_HK.T.unsqueeze(0).expand(len(ids), -1, -1))
        return picked_BKH.double().mean(1).cpu().numpy()

    def _batches(self, lengths_N: np.ndarray, gap: Gap) -> Iterator[np.ndarray]:
        most = max(1, _LOGITS // (gap.masks * len(self._model.tokenizer)))
        for rows in token_batches(lengths_N, self._batch_tokens):
            yield from (rows[at : at + most] for at in range(0, len(rows), most))

    def _inputs(self, ids: Sequence[np.ndarray], lengths: np.ndarray, gap: Gap) -> tuple[TextInputs, torch.Tensor]:
        mask = int(self._model.tokenizer.mask_token_id or 0)
        tail = np.array([*gap.before, *[mask] * gap.masks, *gap.after, *self._end], np.int64)
        begin = np.array(self._begin, np.int64)
        rows = []
        for own, length in zip(ids, lengths, strict=True):
            kept = length - len(begin) - len(tail)
            left = own[len(own) - kept :] if self._cuts_head else own[:kept]
            rows.append(np.concatenate([begin, left, tail]))
        places_BK = (lengths - len(tail) + len(gap.before))[:, None] + np.arange(gap.masks)
        return TextInputs.of(rows), torch.from_numpy(places_BK)

    def _around(self, gap: Gap) -> int:
        return len(self._begin) + gap.size + len(self._end)

    def _lengths(self, sizes_N: np.ndarray, gap: Gap) -> np.ndarray:
        return np.minimum(sizes_N + self._around(gap), self.max_length)

    def _tokenised(self, texts: Sequence[str]) -> list[Encoding]:
        """Tokens of each text; what looks like a special token, such as [MASK], is text."""
        if not texts:
            return []
        tokenizer = self._model.tokenizer
        split = {"add_special_tokens": False, "split_special_tokens": True, "truncation": False, "verbose": False}
        found: list[Encoding] = tokenizer(list(texts), **split).encodings
        return found

    def _special(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The special tokens around a text, read off one."""
        tokenizer = self._model.tokenizer
        whole = list(tokenizer(_PROBE, verbose=False)["input_ids"])
        alone = list(tokenizer(_PROBE, add_special_tokens=False, verbose=False)["input_ids"])
        for at in range(len(whole) - len(alone) + 1):
            if whole[at : at + len(alone)] == alone:
                return tuple(whole[:at]), tuple(whole[at + len(alone) :])
        raise ConfigError(
            "the model's tokenizer does not put its special tokens around a text; cloze needs one that does"
        )
