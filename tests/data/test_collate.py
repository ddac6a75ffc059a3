"""Rows put together, and the cut into forward passes."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from mtl_cli.data.collate import RowRef, collate, cut, filled
from mtl_cli.tasks.columns import Column
from tests.data.fakes import encoded_set

SETS = {
    "a": encoded_set([3, 5, 5], first_id=1000),
    "b": encoded_set([2, 5], labels=[0.5, np.nan], types=True, first_id=2000),
}


def ref(task, row):
    return RowRef(task, row, int(SETS[task].lengths(np.array([row]))[0]))


def test_rows_stand_end_to_end():
    batch = collate([ref("a", 0), ref("b", 0), ref("a", 1)], SETS)
    assert batch.inputs.ids_T.tolist() == [1000, 1001, 1002, 1100, 1101, 1102, 1103, 1104, 2000, 2001]
    assert batch.inputs.offsets.tolist() == [0, 3, 8, 10]
    assert batch.inputs.ids_T.dtype == torch.int64
    assert (batch.rows, batch.tokens) == (3, 10)


def test_rows_keep_their_numbers():
    batch = collate([ref("b", 1), ref("a", 2), ref("b", 0), ref("a", 0)], SETS)
    assert [part.numbers_B.tolist() for part in batch.parts] == [[1, 0], [2, 0]]


def test_each_task_s_rows_lie_next_to_one_another_in_the_order_of_first_sight():
    batch = collate([ref("b", 1), ref("a", 2), ref("b", 0), ref("a", 0)], SETS)
    assert [(part.task, part.rows) for part in batch.parts] == [("b", slice(0, 2)), ("a", slice(2, 4))]
    assert batch.inputs.ids_T[batch.inputs.offsets[:-1]].tolist() == [2100, 2000, 1200, 1000]


def test_labels_stand_with_their_rows():
    batch = collate([ref("b", 0), ref("a", 2), ref("a", 0), ref("b", 1)], SETS)
    labels = {part.task: part.targets["label"].values for part in batch.parts}
    assert labels["a"].tolist() == [2.0, 0.0]
    assert labels["b"][0] == 0.5
    assert labels["b"][1].isnan()
    assert labels["a"].dtype == torch.float32


def test_types_are_zero_for_tasks_that_have_none():
    batch = collate([ref("a", 0), ref("b", 0)], SETS)
    assert batch.inputs.types_T.tolist() == [0, 0, 0, 1, 1]


def test_there_are_no_types_where_no_task_has_any():
    assert collate([ref("a", 0)], SETS).inputs.types_T is None


def test_ids_on_disk_in_sixteen_bits_come_out_unsigned():
    from dataclasses import replace

    high = replace(SETS["a"], ids_T=np.full(13, 65535, np.uint16))
    assert collate([RowRef("a", 0, 3)], {"a": high}).inputs.ids_T.tolist() == [65535] * 3


def cost(lengths, passes, pass_cost):
    return sum(len(p) * max(lengths[i] for i in p) + pass_cost for p in passes)


def allowed(lengths, passes, max_rows, max_tokens):
    return all(
        len(p) <= (max_rows or len(p))
        and (len(p) == 1 or not max_tokens or len(p) * max(lengths[i] for i in p) <= max_tokens)
        for p in passes
    )


def partitions(items):
    """All ways to put items into groups."""
    if not items:
        yield []
        return
    for rest in partitions(items[1:]):
        yield [[items[0]], *rest]
        for i in range(len(rest)):
            yield [*rest[:i], [items[0], *rest[i]], *rest[i + 1 :]]


CASES = [(seed, *limits) for seed in range(3) for limits in itertools.product((0, 5, 40), (None, 1, 3), (None, 4, 30))]


@pytest.mark.parametrize(("seed", "pass_cost", "max_rows", "max_tokens"), CASES)
def test_no_way_at_all_to_group_the_rows_is_cheaper(seed, pass_cost, max_rows, max_tokens):
    lengths = np.random.default_rng(seed).integers(1, 20, 6)
    passes = [p.tolist() for p in cut(lengths, pass_cost, max_rows, max_tokens)]
    best = min(
        cost(lengths, p, pass_cost) for p in partitions(list(range(6))) if allowed(lengths, p, max_rows, max_tokens)
    )
    assert allowed(lengths, passes, max_rows, max_tokens)
    assert cost(lengths, passes, pass_cost) == best


@pytest.mark.parametrize("max_tokens", [None, 300])
@pytest.mark.parametrize("max_rows", [None, 16])
def test_each_row_is_in_one_pass_and_every_pass_within_its_limits(max_rows, max_tokens):
    lengths = np.random.default_rng(1).integers(3, 128, 200)
    passes = cut(lengths, 64, max_rows, max_tokens)
    assert sorted(np.concatenate(passes).tolist()) == list(range(200))
    assert allowed(lengths, passes, max_rows, max_tokens)


def test_longest_rows_come_first():
    lengths = np.random.default_rng(2).integers(3, 128, 50)
    longest = [lengths[p].max() for p in cut(lengths, 30, 8, None)]
    assert len(longest) > 2
    assert longest == sorted(longest, reverse=True)


def test_a_row_longer_than_the_limit_makes_a_pass_of_its_own():
    assert [p.tolist() for p in cut(np.array([10, 500, 10]), 1000, None, 100)] == [[1], [0, 2]]


def test_equal_lengths_make_one_pass_and_free_passes_leave_no_padding():
    assert len(cut(np.full(9, 12), 1, None, None)) == 1
    lengths = np.array([4, 9, 4, 7])
    assert cost(lengths, cut(lengths, 0, None, None), 0) == lengths.sum()


def test_a_pass_is_saved_just_where_its_cost_is_more_than_the_padding():
    # together 2 * 10 + c, apart 4 + 10 + 2 c: equal at c = 6
    assert [len(cut(np.array([4, 10]), c, None, None)) for c in (5, 7)] == [2, 1]


def test_one_row_is_one_pass():
    assert [p.tolist() for p in cut(np.array([5]), 64, 32, 4096)] == [[0]]


def test_segments_tell_the_hypothesis_of_packed_rows_and_are_0_of_joint_ones():
    sets = {
        "a": dataclasses.replace(SETS["a"], arrays={"seconds": Column(np.array([2, 1, 4], np.int32))}),
        "b": SETS["b"],
    }
    batch = collate([ref("a", 0), ref("a", 1), ref("b", 0)], sets)
    assert batch.inputs.segments_T.tolist() == [0, 0, 1, 0, 1, 1, 1, 1, 0, 0]
    assert batch.inputs.positions_T is None
    assert collate([ref("b", 0)], sets).inputs.segments_T is None


def test_passes_without_padding_are_filled_in_order_up_to_their_limits():
    lengths = np.array([3, 4, 5, 20, 1, 2])

    def found(max_rows, max_tokens):
        return [one.tolist() for one in filled(lengths, max_rows, max_tokens)]

    assert found(None, None) == [[0, 1, 2, 3, 4, 5]]
    assert found(2, None) == [[0, 1], [2, 3], [4, 5]]
    assert found(None, 12) == [[0, 1, 2], [3], [4, 5]]  # a row that is too long makes a pass of its own
    assert found(2, 7) == [[0, 1], [2], [3], [4, 5]]
