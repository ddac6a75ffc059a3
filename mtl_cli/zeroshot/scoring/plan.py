"""What a piece of work would take, before it is done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtl_cli.data.lengths import token_batches


@dataclass(frozen=True)
class Plan:
    """What scoring some texts would take."""

    tokens: int
    """Tokens that go through the model; padding is not counted."""
    passes: int
    """Forward passes, or requests."""

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.tokens + other.tokens, self.passes + other.passes)


def planned(lengths: np.ndarray, batch_tokens: int) -> Plan:
    """Rows of these lengths, batched by length."""
    return Plan(int(lengths.sum()), sum(1 for _ in token_batches(lengths, batch_tokens)))
