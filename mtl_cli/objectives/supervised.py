"""The loss of the task's own kind on labelled rows."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from mtl_cli.data.encoded import EncodedSet
from mtl_cli.objectives.base import Objective
from mtl_cli.tasks.columns import BatchColumns, Column


class Supervised(Objective):
    """The loss of the task's kind, such as cross-entropy, on the rows that have a label."""

    def units(self, encoded: EncodedSet) -> np.ndarray:
        """Those of the kind."""
        return self._kind.units(encoded.targets)

    def loss(self, out: Column[Tensor], targets: BatchColumns, /) -> Tensor:
        """That of the kind."""
        return self._kind.loss(out, targets)
