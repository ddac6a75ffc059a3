"""Columns of rows, with one value a row or any number of them."""

import numpy as np
import torch

from mtl_cli.tasks.columns import Column, in_order

FLAT = Column(np.array([10, 11, 12]))
RAGGED = Column(np.arange(6), np.array([0, 2, 2, 6]))


def rows(column):
    return [np.asarray(column.row(i)).tolist() for i in range(len(column))]


def test_chosen_rows_are_those_rows_in_that_order():
    assert rows(FLAT.chosen(np.array([2, 0, 0]))) == [12, 10, 10]
    assert rows(RAGGED.chosen(np.array([2, 1, 0]))) == [[2, 3, 4, 5], [], [0, 1]]
    assert rows(RAGGED.chosen(np.array([], int))) == []


def test_of_tensors_they_are_tensors():
    found = Column(torch.arange(6), RAGGED.offsets).chosen(np.array([2]))
    assert torch.equal(found.values, torch.tensor([2, 3, 4, 5]))


def test_each_value_has_its_row():
    assert FLAT.row_V.tolist() == [0, 1, 2]
    assert RAGGED.row_V.tolist() == [0, 0, 2, 2, 2, 2]


def test_pieces_are_put_together_in_the_order_of_their_rows():
    order = [np.array([2, 0]), np.array([1])]
    assert rows(in_order([RAGGED.chosen(one) for one in order], order)) == rows(RAGGED)
    assert rows(in_order([FLAT.chosen(one) for one in order], order)) == rows(FLAT)
