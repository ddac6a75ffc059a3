"""Batches move as a whole."""

import numpy as np
import torch

from mtl_cli.data.collate import RowRef, collate
from tests.data.fakes import encoded_set


def batch(lengths, types):
    return collate(
        [RowRef("a", i, n) for i, n in enumerate(lengths)], {"a": encoded_set(np.array(lengths), types=types)}, 0
    )


def test_a_batch_on_the_cpu_is_not_copied():
    one = batch([3, 5], types=True)
    assert one.to(torch.device("cpu")) is one


def test_every_tensor_of_a_batch_moves():
    moved = batch([3, 5], types=True).to(torch.device("meta"))
    tensors = [moved.ids_BL, moved.mask_BL, moved.types_BL, *(part.labels_B for part in moved.parts)]
    assert {t.device.type for t in tensors} == {"meta"}
    assert (moved.rows, moved.ids_BL.shape) == (2, (2, 5))
    assert [(part.task, part.rows) for part in moved.parts] == [("a", slice(0, 2))]


def test_what_a_batch_lacks_it_lacks_after_the_move():
    moved = batch([4, 4], types=False).to(torch.device("meta"))
    assert moved.mask_BL is None
    assert moved.types_BL is None
    assert moved.tokens == 8
