"""Which parameter gets which learning rate and decay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from mtl_cli.errors import ConfigError, Fault


@dataclass(frozen=True)
class Rates:
    """AdamW's settings (Loshchilov & Hutter 2019)."""

    lr: float
    head_lr: float
    weight_decay: float
    betas: tuple[float, float]
    eps: float
    layer_decay: float
    """Layer d of n has lr * layer_decay^(n - d); heads are not decayed (Howard & Ruder 2018, section 3.2)."""


@dataclass(frozen=True)
class Placed:
    """A parameter and where it sits."""

    parameter: nn.Parameter
    name: str
    depth: int | None
    """Layer in the encoder, 0 for the embeddings; None outside the encoder."""


def freeze(placed: Iterable[Placed], layers: int, upto: int | Literal["nothing", "encoder"]) -> None:
    """Stop training the encoder, or its embeddings and lowest layers.

    Args:
        placed: all parameters.
        layers: layers of the encoder.
        upto: "nothing"; "encoder"; or N for the embeddings and the lowest N layers.

    Raises:
        ConfigError: the encoder has fewer than N layers.
    """
    if upto == "nothing":
        return
    if isinstance(upto, int) and upto > layers:
        raise ConfigError(
            [
                Fault(
                    "optim.freeze",
                    f"the encoder has {layers} layers; found {upto}. For all of it: optim.freeze=encoder",
                )
            ]
        )
    for item in placed:
        if item.depth is not None and (upto == "encoder" or item.depth <= upto):
            item.parameter.requires_grad_(False)


def adamw(placed: Iterable[Placed], layers: int, rates: Rates, extra: Iterator[nn.Parameter]) -> torch.optim.AdamW:
    """AdamW with one group for each pair of learning rate and decay; each group keeps its own rate as `base_lr`.

    Biases and norms (parameters of one axis) are not decayed, nor are `extra` ones.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for item in placed:
        if item.parameter.requires_grad:
            lr = rates.head_lr if item.depth is None else rates.lr * rates.layer_decay ** (layers - item.depth)
            decay = rates.weight_decay if item.parameter.dim() > 1 else 0.0
            groups.setdefault((lr, decay), []).append(item.parameter)
    own = list(extra)
    if own:
        groups.setdefault((rates.head_lr, 0.0), []).extend(own)
    listed: list[dict[str, Any]] = [
        {"params": parameters, "lr": lr, "base_lr": lr, "weight_decay": decay}
        for (lr, decay), parameters in groups.items()
    ]
    if not listed:
        raise ConfigError([Fault("optim.freeze", "nothing is left to train")])
    return torch.optim.AdamW(listed, betas=rates.betas, eps=rates.eps, fused=True)


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set each group's rate to its own base times a factor."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
