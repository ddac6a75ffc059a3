"""Outputs of a task's head for whole sets of rows, with little padding. Legend: N rows of the set, C outputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from lightning_fabric import Fabric

from mtl_cli.data.collate import RowRef, collate
from mtl_cli.data.encoded import EncodedSet
from mtl_cli.data.lengths import token_batches
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.tasks.columns import Column, in_order


@torch.inference_mode()
def predict(
    model: MultiTaskModel,
    head: str,
    encoded: EncodedSet,
    *,
    batch_tokens: int,
    fabric: Fabric,
    tick: Callable[[], None],
) -> Column[np.ndarray]:
    """Outputs of one head for every row, in the order of the rows, float32: [N, C], or with offsets.

    Args:
        model: put into evaluation mode while it runs.
        head: task whose head is used.
        encoded: the rows.
        batch_tokens: padded tokens a forward pass.
        fabric: device and precision.
        tick: called before each forward pass; may raise to stop.
    """
    lengths = np.diff(encoded.offsets)
    pieces: list[Column[np.ndarray]] = []
    rows: list[np.ndarray] = []
    training = model.training
    model.eval()
    try:
        for some in token_batches(lengths, batch_tokens):
            tick()
            batch = collate([RowRef(head, int(i), int(lengths[i])) for i in some], {head: encoded}).to(fabric.device)
            with fabric.autocast():
                out = model(batch)[0].out
            pieces.append(Column(out.values.float().cpu().numpy(), out.offsets))
            rows.append(some)
    finally:
        model.train(training)
    return in_order(pieces, rows)
