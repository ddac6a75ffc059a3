"""Dropout with cheaper random bits, for the CPU.

Torch draws a whole Bernoulli variate an element there; one 64-bit word of the same generator holds enough bits for four.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class WordDropout(nn.Dropout):
    """`nn.Dropout` whose keep probability is rounded to 1/65536; draws follow torch's generator, so a resumed run repeats them."""

    def forward(self, x: Tensor) -> Tensor:
        """x with each element zeroed with probability p, the others scaled by 1 / (1 - p)."""
        if not self.training or not 0 < self.p < 1 or x.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(x)
        return _Drop.apply(x, 1.0 - self.p)  # type: ignore[no-untyped-call]


def keep_scale(x: Tensor, keep: float) -> Tensor:
    """What dropout multiplies each element of x with: 1 / keep with probability `keep`, else 0."""
    if x.device.type != "cpu":
        return torch.empty_like(x).bernoulli_(keep).div_(keep)
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    # Each 16-bit piece is uniform over -32768 .. 32767.
    kept = words.view(torch.int16)[: x.numel()].view(x.shape) < round(keep * 65536) - 32768
    return kept.to(x.dtype).mul_(1.0 / keep)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: float) -> Tensor:
        scale = keep_scale(x, keep)
        ctx.save_for_backward(scale)
        return x * scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (scale,) = ctx.saved_tensors
        return gradient * scale, None


def cheaper_dropout(module: nn.Module) -> None:
    """Put `WordDropout` in the place of every plain `nn.Dropout` below a module."""
    for name, child in list(module.named_children()):
        if type(child) is nn.Dropout:
            setattr(module, name, WordDropout(child.p))
        else:
            cheaper_dropout(child)
