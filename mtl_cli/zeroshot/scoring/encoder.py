"""Texts -> unit vectors, in batches of like length. Legend: N texts, D width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from mtl_cli.data.lengths import token_batches
from mtl_cli.data.text import TextInputs
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.tasks.inputs.base import stand_in_token
from mtl_cli.zeroshot.scoring.pieces import Pieces, cut
from mtl_cli.zeroshot.scoring.plan import Plan, planned
from mtl_cli.zeroshot.scoring.vocabulary import Vocabulary, vocabulary


class TextEncoder:
    """A backbone as a function from texts to vectors.

    Args:
        backbone: put into evaluation mode.
        fabric: device and precision.
        max_length: tokens a text; longer ones are cut.
        batch_tokens: padded tokens a forward pass.
    """

    def __init__(self, backbone: Backbone, fabric: Fabric, *, max_length: int, batch_tokens: int) -> None:
        fabric.to_device(backbone).eval()
        self._backbone = backbone
        self._fabric, self._batch_tokens = fabric, batch_tokens
        self._max_length = min(max_length, backbone.max_length or max_length)
        self.truncated = 0
        """Texts that were cut so far."""

    @property
    def identity(self) -> str:
        """Where the backbone came from."""
        return self._backbone.identity

    def plan(self, texts: Sequence[str]) -> Plan:
        """What encoding them would take."""
        if not texts:
            return Plan(0, 0)
        return planned(np.array([len(ids) for ids in self._tokens(texts)[0]]), self._batch_tokens)

    def _tokens(self, texts: Sequence[str]) -> tuple[list[list[int]], int]:
        """Token ids of each text, at least one of them, and how many texts were cut."""
        tokenizer = self._backbone.tokenizer
        encodings = tokenizer(list(texts), truncation=True, max_length=self._max_length).encodings
        nothing = [stand_in_token(tokenizer)]
        return [e.ids or nothing for e in encodings], sum(bool(e.overflowing) for e in encodings)

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """How its tokenizer cuts texts."""
        return cut(self._backbone.tokenizer, texts)

    def vocabulary(self) -> Vocabulary:
        """Whole words with their input embeddings."""
        return vocabulary(self._backbone.tokenizer, cast(nn.Embedding, self._backbone.encoder.get_input_embeddings()))

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32, shape [N, D], in the order of the texts."""
        tokens, truncated = self._tokens(texts)
        self.truncated += truncated
        lengths = np.array([len(row) for row in tokens])
        out_ND = np.empty((len(texts), self._backbone.width), np.float32)
        for rows in token_batches(lengths, self._batch_tokens):
            inputs = TextInputs.of([np.array(tokens[row]) for row in rows]).to(self._fabric.device)
            with self._fabric.autocast():
                pooled_BD = self._backbone.pool(self._backbone(inputs), inputs)
            out_ND[rows] = torch.nn.functional.normalize(pooled_BD.float(), dim=1).cpu().numpy()
        return out_ND
