"""Tokens of the vocabulary for places in a text. Legend: M places in a part's rows, D width, E width of the embeddings, V vocabulary."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mtl_cli.data.batch import Batch, Part
from mtl_cli.model.heads.base import Head, HeadPlace, seeded
from mtl_cli.model.sharing.base import Features
from mtl_cli.tasks.columns import Column

HIDDEN = "hidden"
"""Array of a part: the places in its rows of which a token is asked for."""


class LmHead(Head):
    """Dense layer, GELU and layer norm, then a product with the encoder's embeddings, as BERT's: [M, D] -> [M, V].

    The embeddings are tied but not trained from here: their gradient comes from the rows that texts look up, as with any other head.

    Args:
        place: where the head stands.
        size: V.
    """

    def __init__(self, place: HeadPlace, size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(place.width, place.table_width)
        self.norm = nn.LayerNorm(place.table_width)
        self.bias = nn.Parameter(torch.zeros(size))
        seeded(self.dense, place)

    def of_part(self, features: Features, batch: Batch, part: Part) -> Column[Tensor]:
        """Logits, [M, V], with the offsets of the rows."""
        hidden = part.arrays[HIDDEN]
        starts_M = np.asarray(batch.inputs.offsets[:-1][part.rows])[hidden.row_V]
        states_MD = features.hidden_TD[torch.from_numpy(starts_M).to(hidden.values.device) + hidden.values]
        states_ME = self.norm(nn.functional.gelu(self.dense(states_MD)))
        return Column(nn.functional.linear(states_ME, features.table_of(part.task).detach(), self.bias), hidden.offsets)
