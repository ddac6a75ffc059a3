"""An embedding table whose gradient is written row by row, for the CPU. Legend: V rows of the table, D width, T tokens of a pass.

`nn.Embedding` makes a dense [V, D] gradient at every backward pass, almost all of it zeros: 47 MB a pass for BERT's table, as much
time as hundreds of tokens. Here each pass adds its T rows to one lasting buffer, and only the rows that were touched are cleared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class RowGradEmbedding(nn.Embedding):
    """`nn.Embedding` with the same weights, names and values; `weight.grad` is dense as ever, but lives in a buffer that is kept.

    Gradients arrive by `backward` alone: `torch.autograd.grad` with respect to the table finds none.
    """

    sink: Callable[[Tensor, Tensor], None] | None = None
    """Takes the gradient of looked-up rows (ids [T], gradient [T, D]) in place of `weight.grad`, while it is set."""
    _buffer: Tensor | None = None
    _touched: list[Tensor]

    @classmethod
    def of(cls, embedding: nn.Embedding) -> RowGradEmbedding:
        """The same table, sharing its parameter."""
        new = cls(
            embedding.num_embeddings, embedding.embedding_dim, embedding.padding_idx, _weight=embedding.weight.detach(), device="meta"
        )  # fmt: skip
        new.weight = embedding.weight
        new._touched = []
        return new.train(embedding.training)

    def forward(self, ids: Tensor) -> Tensor:
        """Rows of the table, shape of `ids` with D behind it."""
        plain = not self.weight.requires_grad or not torch.is_grad_enabled() or self.weight.device.type != "cpu"
        if plain or torch.compiler.is_compiling():
            return super().forward(ids)
        return _Lookup.apply(ids, self.weight, self)  # type: ignore[no-untyped-call]

    def add_rows(self, ids_T: Tensor, gradient_TD: Tensor) -> None:
        """Add the gradient of T looked-up rows to `weight.grad`."""
        if self.padding_idx is not None:
            kept = ids_T != self.padding_idx
            ids_T, gradient_TD = ids_T[kept], gradient_TD[kept]
        if self.sink is not None:
            self.sink(ids_T, gradient_TD)
            return
        if self.weight.grad is None:
            self.weight.grad = self._cleared()
        self.weight.grad.index_add_(0, ids_T, gradient_TD.to(self.weight.grad.dtype))
        if self.weight.grad is self._buffer:
            self._touched.append(ids_T)

    def _cleared(self) -> Tensor:
        """The buffer, all zeros."""
        if self._buffer is None:
            self._buffer = torch.zeros_like(self.weight)
        elif self._touched:
            self._buffer.index_fill_(0, torch.cat(self._touched).unique(), 0.0)  # type: ignore[no-untyped-call]
        self._touched = []
        return self._buffer


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ids: Tensor, weight: Tensor, table: RowGradEmbedding) -> Tensor:
        ctx.ids, ctx.table = ids, table
        return torch.nn.functional.embedding(ids, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, None]:
        ctx.table.add_rows(ctx.ids.flatten(), gradient.reshape(-1, gradient.shape[-1]))
        return None, None, None
