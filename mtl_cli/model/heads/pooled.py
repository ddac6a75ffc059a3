"""One output a row."""

from __future__ import annotations

from torch import Tensor

from mtl_cli.data.batch import Batch, Part
from mtl_cli.model.heads.base import LinearHead
from mtl_cli.model.sharing.base import Features
from mtl_cli.tasks.columns import Column


class PooledHead(LinearHead):
    """Looks at the pooled state of a row: [B, D] -> [B, C]."""

    def of_part(self, features: Features, batch: Batch, part: Part) -> Column[Tensor]:  # noqa: ARG002
        """Outputs, [B, C]."""
        return Column(self(features.pooled_BD[part.rows]))
