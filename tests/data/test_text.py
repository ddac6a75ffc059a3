"""Rows end to end, and side by side."""

import numpy as np
import torch

from mtl_cli.data.text import TextInputs

ROWS = [np.array([10, 11, 12]), np.array([20]), np.array([30, 31])]


def test_rows_know_their_lengths_and_their_tokens_their_rows_and_positions():
    inputs = TextInputs.of(ROWS)
    assert (inputs.rows, inputs.tokens) == (3, 6)
    assert inputs.lengths_B.tolist() == [3, 1, 2]
    assert inputs.row_T.tolist() == [0, 0, 0, 1, 2, 2]
    assert inputs.places_T.tolist() == [0, 1, 2, 0, 0, 1]


def test_positions_that_are_given_stand():
    assert TextInputs.of(ROWS, positions=[np.array([0, 1, 1]), np.array([0]), np.array([0, 1])]).places_T.tolist() == [
        0, 1, 1, 0, 0, 1,
    ]  # fmt: skip


def test_rows_side_by_side_are_filled_up_and_found_again():
    inputs = TextInputs.of(ROWS, types=[np.ones(len(row), np.int64) for row in ROWS])
    padded = inputs.padded(7)
    assert padded.ids_BL.tolist() == [[10, 11, 12], [20, 7, 7], [30, 31, 7]]
    assert padded.mask_BL.tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert torch.equal(padded.types_BL, padded.mask_BL)
    assert padded.segments_BL is padded.positions_BL is None
    assert torch.equal(padded.ids_BL.flatten()[padded.places_T], inputs.ids_T)


def test_rows_of_one_length_need_no_mask():
    assert TextInputs.of([ROWS[0], ROWS[0]]).padded(0).mask_BL is None


def test_rows_are_chosen_in_the_order_asked_for():
    inputs = TextInputs.of(ROWS, segments=[np.array([0, 0, 1]), np.array([0]), np.array([0, 0])])
    chosen = inputs.select(np.array([2, 0]))
    assert chosen.ids_T.tolist() == [30, 31, 10, 11, 12]
    assert chosen.segments_T.tolist() == [0, 0, 0, 0, 1]
    assert chosen.offsets.tolist() == [0, 2, 5]
    assert inputs.select(np.array([1, 2])).segments_T is None


def test_segments_that_are_all_zero_are_none():
    assert TextInputs.of(ROWS, segments=[np.zeros(len(row), np.int64) for row in ROWS]).segments_T is None
