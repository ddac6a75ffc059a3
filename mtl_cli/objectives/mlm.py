"""Masked language modelling. Legend: M hidden tokens of the rows of a batch, V vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mtl_cli.data.collate import Prepared
from mtl_cli.data.encoded import EncodedSet
from mtl_cli.model.heads.lm import HIDDEN
from mtl_cli.objectives.base import Objective, Vocabulary
from mtl_cli.tasks.columns import BatchColumns, Column
from mtl_cli.tasks.kinds.base import HeadSpec, Kind

_TOKENS = "tokens"
"""What the hidden tokens were."""
_MASKED, _RANDOM = 0.8, 0.1
"""Shares of the chosen tokens that become [MASK], and another token at random; the rest stay."""


class MaskedLM(Objective):
    """Predicts hidden tokens of a text from what is left of it (Devlin et al. 2019, section 3.1, task 1); needs no label.

    Of each row a share `rate` of the tokens that stand for text is chosen, one at least; of these 80 % become the mask, 10 % another
    token at random, and 10 % stay as they are. The choice is anew in each step. L_i is the mean over chosen tokens, in nats.

    Args:
        kind: of the task.
        vocabulary: of the encoder.
        rate: share of the tokens to choose.
    """

    needs_labels = False

    # The default here and not in a YAML: an objective stands inside a task, which users write from nothing.
    def __init__(self, kind: Kind, vocabulary: Vocabulary, *, rate: float = 0.15) -> None:
        super().__init__(kind, vocabulary)
        if not 0 < rate < 1:
            raise ValueError(f"rate must lie between 0 and 1; found {rate}")
        if vocabulary.mask is None:
            raise ValueError(
                "the backbone's tokenizer has no mask token, so no token can be hidden. Use an encoder such as BERT"
            )
        self._rate, self._mask = rate, vocabulary.mask
        self._special = np.array(vocabulary.special, np.int64)

    @property
    def head(self) -> HeadSpec:
        """A token of the vocabulary for each hidden one."""
        return HeadSpec(self._vocabulary.size, "lm")

    def units(self, encoded: EncodedSet) -> np.ndarray:
        """Tokens that are chosen in each row."""
        text_T = ~np.isin(encoded.ids_T, self._special)
        ends = np.concatenate([[0], np.cumsum(text_T)])[encoded.offsets]
        return self._chosen(np.diff(ends))

    def _chosen(self, tokens: np.ndarray) -> np.ndarray:
        """How many of so many tokens are chosen."""
        return np.where(tokens > 0, np.maximum(1, np.rint(self._rate * tokens)), 0).astype(np.int64)

    def prepared(self, ids: Sequence[np.ndarray], numbers: np.ndarray, key: tuple[int, ...]) -> Prepared:
        """Rows with some tokens hidden; where they stand, and what they were."""
        rows = [self._hidden(np.asarray(row, np.int64), (*key, int(n))) for row, n in zip(ids, numbers, strict=True)]
        changed, places = [row for row, _ in rows], [at for _, at in rows]
        offsets = np.cumsum([0, *map(len, places)])
        tokens = np.concatenate([np.asarray(row)[at] for row, at in zip(ids, places, strict=True)]).astype(np.int64)
        return Prepared(
            changed,
            {_TOKENS: Column(tokens, offsets)},
            {HIDDEN: Column(np.concatenate(places).astype(np.int64), offsets)},
        )

    def _hidden(self, ids: np.ndarray, key: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """A row with tokens hidden, and their places in order."""
        rng = np.random.default_rng(key)
        (text,) = np.nonzero(~np.isin(ids, self._special))
        count = int(self._chosen(np.array(len(text))))
        at = np.sort(rng.choice(text, count, replace=False)) if count else text[:0]
        fate = rng.random(count)
        new = ids[at]
        new[fate < _MASKED] = self._mask
        swapped = (fate >= _MASKED) & (fate < _MASKED + _RANDOM)
        new[swapped] = rng.integers(0, self._vocabulary.size, int(swapped.sum()))
        changed = ids.copy()
        changed[at] = new
        return changed, at

    def loss(self, out: Column[Tensor], targets: BatchColumns, /) -> Tensor:
        """Sum of the negative log-likelihoods of the hidden tokens of each row, in nats."""
        tokens = targets[_TOKENS]
        losses_M = torch.nn.functional.cross_entropy(out.values.float(), tokens.values, reduction="none")
        row_M = torch.from_numpy(tokens.row_V).to(losses_M.device)
        return losses_M.new_zeros(len(tokens)).index_add(0, row_M, losses_M)
