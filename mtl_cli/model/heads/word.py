"""One output a word. Legend: W words of a part's rows, D width, C outputs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mtl_cli.data.batch import Batch, Part
from mtl_cli.model.heads.base import LinearHead
from mtl_cli.model.sharing.base import Features
from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.inputs.words import WORDS


class WordHead(LinearHead):
    """Looks at the state of each word's first token: [W, D] -> [W, C]; of a word without token at the row's first one."""

    def of_part(self, features: Features, batch: Batch, part: Part) -> Column[Tensor]:
        """Outputs, [W, C], with the offsets of the rows."""
        words = part.arrays[WORDS]
        starts_B = batch.inputs.offsets[:-1][part.rows]
        starts_W = torch.from_numpy(np.asarray(starts_B)[words.row_V]).to(words.values.device)
        states_WD = features.hidden_TD[starts_W + words.values.clamp(min=0)]
        return Column(self(states_WD), words.offsets)
