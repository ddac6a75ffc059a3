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


@torch.inference_mode()
def predict(
    model: MultiTaskModel,
    head: str,
    encoded: EncodedSet,
    *,
    batch_tokens: int,
    fabric: Fabric,
    tick: Callable[[], None],
) -> np.ndarray:
    """Outputs of one head for every row, in the order of the rows, shape [N, C].

    Args:
        model: put into evaluation mode while it runs.
        head: task whose head is used.
        encoded: the rows.
        batch_tokens: padded tokens a forward pass.
        fabric: device and precision.
        tick: called before each forward pass; may raise to stop.
    """
    lengths = np.diff(encoded.offsets)
    out_NC: np.ndarray | None = None
    training = model.training
    model.eval()
    try:
        for rows in token_batches(lengths, batch_tokens):
            tick()
            batch = collate([RowRef(head, int(i), int(lengths[i])) for i in rows], {head: encoded}).to(fabric.device)
            with fabric.autocast():
                out_BC = model(batch)[0].out_BC.float().cpu().numpy()
            if out_NC is None:
                out_NC = np.empty((len(encoded), out_BC.shape[1]), np.float32)
            out_NC[rows] = out_BC
    finally:
        model.train(training)
    assert out_NC is not None
    return out_NC
