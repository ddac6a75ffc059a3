"""Batches move as a whole."""

import dataclasses

import numpy as np
import pytest
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


def two_tasks():
    lengths = np.array([3, 5, 4, 2])
    sets = {"a": encoded_set(lengths, types=True), "b": encoded_set(lengths, types=True, first_id=5000)}
    return collate([RowRef(task, i, int(n)) for task in "ab" for i, n in enumerate(lengths)], sets, 0)


@pytest.mark.parametrize("k", [0, 1])
def test_every_other_row_of_a_part_is_a_batch_cut_to_its_longest_row(k):
    whole = two_tasks()
    part = whole.parts[k]
    cut = whole.only(part, slice(0, None, 2))
    lengths = whole.mask_BL[part.rows].sum(1)[::2]
    assert cut.ids_BL.shape == (2, int(lengths.max()))
    assert torch.equal(cut.ids_BL, whole.ids_BL[part.rows][::2, : int(lengths.max())])
    assert torch.equal(cut.types_BL, whole.types_BL[part.rows][::2, : int(lengths.max())])
    assert cut.tokens == int(lengths.sum())
    assert [(p.task, p.rows) for p in cut.parts] == [("ab"[k], slice(0, 2))]
    assert torch.equal(cut.parts[0].labels_B, part.labels_B[::2])


def test_rows_of_one_length_need_no_mask_on_their_own():
    whole = two_tasks()
    assert whole.only(whole.parts[0], slice(1, 2)).mask_BL is None
    assert whole.only(whole.parts[0], slice(0, 2)).mask_BL is not None
    even = batch([4, 4], types=False)
    cut = even.only(even.parts[0], slice(1, None))
    assert cut.mask_BL is None
    assert cut.types_BL is None
    assert torch.equal(cut.ids_BL, even.ids_BL[1:])


def test_no_row_is_no_batch():
    whole = two_tasks()
    assert whole.only(whole.parts[0], slice(4, None)) is None


def packed_and_joint():
    lengths = np.array([3, 5, 4, 2])
    packed = dataclasses.replace(encoded_set(lengths), seconds_N=np.array([1, 2, 3, 1], np.int32))
    sets = {"a": packed, "b": encoded_set(lengths, first_id=5000)}
    return collate([RowRef(task, i, int(n)) for task in "ab" for i, n in enumerate(lengths)], sets, 0)


def test_the_segments_of_packed_rows_go_with_them_and_joint_rows_alone_have_none():
    whole = packed_and_joint()
    cut = whole.only(whole.parts[0], slice(0, None, 2))
    assert torch.equal(cut.segments_BL, whole.segments_BL[:4:2, :4])
    assert whole.only(whole.parts[1], slice(0, None)).segments_BL is None
    moved = dataclasses.replace(whole, positions_BL=torch.zeros_like(whole.ids_BL)).to(torch.device("meta"))
    assert {moved.segments_BL.device.type, moved.positions_BL.device.type} == {"meta"}
