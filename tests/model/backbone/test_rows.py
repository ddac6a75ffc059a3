"""An embedding table whose gradient comes row by row."""

import pytest
import torch
from torch import nn

from mtl_cli.model.backbone.rows import RowGradEmbedding

IDS = torch.tensor([[1, 2, 2], [0, 5, 1]])


def tables(padding=0):
    torch.manual_seed(0)
    plain = nn.Embedding(7, 3, padding_idx=padding)
    own = nn.Embedding(7, 3, padding_idx=padding)
    own.load_state_dict(plain.state_dict())
    return plain, RowGradEmbedding.of(own)


def backward(table, ids=IDS):
    (table(ids) * torch.arange(ids.numel() * 3.0).view(*ids.shape, 3)).sum().backward()


@pytest.mark.parametrize("padding", [0, None])
def test_values_and_gradients_are_those_of_a_plain_table(padding):
    plain, own = tables(padding)
    assert torch.equal(plain(IDS), own(IDS))
    for ids in (IDS, IDS.flip(0)[:, 1:]):
        backward(plain, ids)
        backward(own, ids)
        torch.testing.assert_close(own.weight.grad, plain.weight.grad)


def test_a_new_step_starts_from_zeros_in_the_same_memory():
    plain, own = tables()
    backward(own)
    first = own.weight.grad
    own.weight.grad = None
    backward(plain, torch.tensor([[6, 2]]))
    backward(own, torch.tensor([[6, 2]]))
    assert own.weight.grad.data_ptr() == first.data_ptr()
    torch.testing.assert_close(own.weight.grad, plain.weight.grad)


def test_a_sink_takes_the_rows_in_place_of_the_gradient():
    plain, own = tables()
    backward(plain)
    seen = torch.zeros(7, 3)
    own.sink = lambda ids, rows: seen.index_add_(0, ids, rows)
    backward(own)
    assert own.weight.grad is None
    torch.testing.assert_close(seen, plain.weight.grad)
    own.sink = None
    backward(own)
    torch.testing.assert_close(own.weight.grad, plain.weight.grad)


def test_padding_has_no_gradient():
    _, own = tables()
    seen = []
    own.sink = lambda ids, rows: seen.append(ids)
    backward(own)
    assert seen[0].tolist() == [1, 2, 2, 5, 1]


def test_rows_may_be_added_by_hand():
    _, own = tables()
    own.add_rows(torch.tensor([2, 0, 2]), torch.ones(3, 3))
    assert own.weight.grad.sum(1).tolist() == [0, 0, 6, 0, 0, 0, 0]


def test_a_frozen_table_is_a_plain_one():
    _, own = tables()
    own.weight.requires_grad_(False)
    assert not own(IDS).requires_grad
