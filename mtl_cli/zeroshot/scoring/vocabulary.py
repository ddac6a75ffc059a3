"""Words that are one token each to a model, with their rows of its embedding table. Legend: V tokens, W words, D width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Vocabulary:
    """Whole words of a model."""

    tokenizer: PreTrainedTokenizerFast
    words: tuple[str, ...]
    """In the order of the token ids."""
    vectors_WD: np.ndarray
    """Their rows, scaled to length 1."""
    table_VD: np.ndarray
    """All rows as they are."""

    def mean(self, text: str) -> np.ndarray | None:
        """Mean row of the tokens of a text, scaled to length 1, shape [D]; None if there are none but special ones."""
        special = set(self.tokenizer.all_special_ids)
        ids = [i for i in self.tokenizer(text, add_special_tokens=False)["input_ids"] if i not in special]
        return _unit(self.table_VD[ids].mean(axis=0)) if ids else None


def vocabulary(tokenizer: PreTrainedTokenizerFast, table: nn.Embedding) -> Vocabulary:
    """The tokens that stand for a whole word of letters.

    A token is a whole word if what it says, behind a space, is cut into that token alone: a piece of a word is cut otherwise,
    whatever mark the tokenizer gives pieces or beginnings.
    """
    special = set(tokenizer.all_special_ids)
    known = [i for i in range(min(len(tokenizer), table.num_embeddings)) if i not in special]
    spoken = {i: tokenizer.backend_tokenizer.decode([i]).strip() for i in known}
    letters = {i: word for i, word in spoken.items() if word.isalpha() and (len(word) > 1 or not word.isascii())}
    cut = tokenizer([f" {word}" for word in letters.values()], add_special_tokens=False)["input_ids"] if letters else []
    ids = [i for i, found in zip(letters, cut, strict=True) if found == [i]]
    table_VD = table.weight.detach().to("cpu", torch.float32).numpy()
    return Vocabulary(tokenizer, tuple(letters[i] for i in ids), _unit(table_VD[ids]), table_VD)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
