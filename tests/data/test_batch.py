"""Batches move as a whole."""

import dataclasses

import numpy as np
import pytest
import torch

from mtl_cli.data.collate import RowRef, collate
from mtl_cli.tasks.columns import Column
from tests.data.fakes import encoded_set


def batch(lengths, types):
    return collate(
        [RowRef("a", i, n) for i, n in enumerate(lengths)], {"a": encoded_set(np.array(lengths), types=types)}
    )


def test_a_batch_on_the_cpu_is_not_copied():
    one = batch([3, 5], types=True)
    assert one.to(torch.device("cpu")) is one


def test_every_tensor_of_a_batch_moves():
    moved = batch([3, 5], types=True).to(torch.device("meta"))
    tensors = [moved.inputs.ids_T, moved.inputs.types_T, *(part.targets["label"].values for part in moved.parts)]
    assert {t.device.type for t in tensors} == {"meta"}
    assert (moved.rows, moved.tokens) == (2, 8)
    assert [(part.task, part.rows) for part in moved.parts] == [("a", slice(0, 2))]


def test_what_a_batch_lacks_it_lacks_after_the_move():
    moved = batch([4, 4], types=False).to(torch.device("meta"))
    assert moved.inputs.types_T is None
    assert moved.tokens == 8


def two_tasks():
    lengths = np.array([3, 5, 4, 2])
    sets = {"a": encoded_set(lengths, types=True), "b": encoded_set(lengths, types=True, first_id=5000)}
    return collate([RowRef(task, i, int(n)) for task in "ab" for i, n in enumerate(lengths)], sets)


@pytest.mark.parametrize("k", [0, 1])
def test_every_other_row_of_a_part_is_a_batch_of_its_own(k):
    whole = two_tasks()
    part = whole.parts[k]
    own = whole.only(part, slice(0, None, 2))
    rows = np.arange(part.rows.start, part.rows.stop)[::2]
    spans = [slice(*whole.inputs.offsets[row : row + 2]) for row in rows]
    for name in ("ids_T", "types_T"):
        expected = torch.cat([getattr(whole.inputs, name)[span] for span in spans])
        assert torch.equal(getattr(own.inputs, name), expected)
    assert own.inputs.lengths_B.tolist() == [3, 4]
    assert [(p.task, p.rows) for p in own.parts] == [("ab"[k], slice(0, 2))]
    assert torch.equal(own.parts[0].targets["label"].values, part.targets["label"].values[::2])
    assert own.parts[0].numbers_B.tolist() == [0, 2]


def test_no_row_is_no_batch():
    whole = two_tasks()
    assert whole.only(whole.parts[0], slice(4, None)) is None


def packed_and_joint():
    lengths = np.array([3, 5, 4, 2])
    packed = dataclasses.replace(encoded_set(lengths), arrays={"seconds": Column(np.array([1, 2, 3, 1], np.int32))})
    sets = {"a": packed, "b": encoded_set(lengths, first_id=5000)}
    return collate([RowRef(task, i, int(n)) for task in "ab" for i, n in enumerate(lengths)], sets)


def test_the_segments_of_packed_rows_go_with_them_and_joint_rows_alone_have_none():
    whole = packed_and_joint()
    own = whole.only(whole.parts[0], slice(0, None, 2))
    assert own.inputs.segments_T.tolist() == [0, 1, 1, 0, 0, 0, 1]
    assert whole.only(whole.parts[1], slice(0, None)).inputs.segments_T is None
    moved = dataclasses.replace(whole.inputs, positions_T=whole.inputs.places_T).to(torch.device("meta"))
    assert {moved.segments_T.device.type, moved.positions_T.device.type} == {"meta"}
