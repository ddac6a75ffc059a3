"""Texts -> unit vectors, in batches of like length. Legend: N texts, D width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from mtl_cli.data.batch import Batch
from mtl_cli.data.lengths import token_batches
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.zeroshot.pieces import Pieces, cut
from mtl_cli.zeroshot.plan import Plan, planned
from mtl_cli.zeroshot.vocabulary import Vocabulary, vocabulary


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
        encodings = self._backbone.tokenizer(list(texts), truncation=True, max_length=self._max_length).encodings
        return planned(np.array([len(e.ids) for e in encodings]), self._batch_tokens)

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """How its tokenizer cuts texts."""
        return cut(self._backbone.tokenizer, texts)

    def vocabulary(self) -> Vocabulary:
        """Whole words with their input embeddings."""
        return vocabulary(self._backbone.tokenizer, cast(nn.Embedding, self._backbone.encoder.get_input_embeddings()))

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32, shape [N, D], in the order of the texts."""
        tokenizer = self._backbone.tokenizer
        encodings = tokenizer(list(texts), truncation=True, max_length=self._max_length).encodings
        self.truncated += sum(bool(e.overflowing) for e in encodings)
        lengths = np.array([len(e.ids) for e in encodings])
        out_ND = np.empty((len(texts), self._backbone.width), np.float32)
        for rows in token_batches(lengths, self._batch_tokens):
            ids = np.full((len(rows), int(lengths[rows].max())), self._backbone.pad_id, np.int64)
            for i, row in enumerate(rows):
                ids[i, : lengths[row]] = encodings[row].ids
            mask = np.arange(ids.shape[1]) < lengths[rows][:, None]
            batch = Batch(
                torch.from_numpy(ids), None if mask.all() else torch.from_numpy(mask.astype(np.int64)), None, ()
            ).to(self._fabric.device)
            with self._fabric.autocast():
                pooled_BD = self._backbone.pool(self._backbone(batch), batch.mask_BL)
            out_ND[rows] = torch.nn.functional.normalize(pooled_BD.float(), dim=1).cpu().numpy()
        return out_ND
