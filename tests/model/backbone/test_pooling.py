"""One vector a row, or a hypothesis. Values by hand."""

import numpy as np
import pytest
import torch

from mtl_cli.data.text import TextInputs
from mtl_cli.model.backbone.pooling import pooled, pooled_each

HIDDEN_TD = torch.tensor([[1.0, -2.0], [3.0, -4.0], [5.0, 9.0], [7.0, 1.0], [2.0, 0.0], [4.0, -6.0]])


def rows(*segments):
    return TextInputs.of([np.arange(len(one)) for one in segments], segments=[np.array(one) for one in segments])


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("cls", [[1.0, -2.0], [7.0, 1.0]]), ("mean", [[3.0, 1.0], [13 / 3, -5 / 3]]), ("max", [[5.0, 9.0], [7.0, 1.0]])],
)
def test_a_joint_row_is_pooled_over_all_its_tokens(pooling, expected):
    found = pooled(HIDDEN_TD, rows([0, 0, 0], [0, 0, 0]), pooling)
    torch.testing.assert_close(found, torch.tensor(expected))


@pytest.mark.parametrize(
    ("pooling", "packed", "joint"),
    [("cls", [3.0, -4.0], [7.0, 1.0]), ("mean", [4.0, 2.5], [13 / 3, -5 / 3]), ("max", [5.0, 9.0], [7.0, 1.0])],
)
def test_a_packed_row_is_pooled_over_its_hypothesis_and_a_joint_one_beside_it_over_all_its_tokens(
    pooling, packed, joint
):
    found = pooled(HIDDEN_TD, rows([0, 1, 1], [0, 0, 0]), pooling)
    torch.testing.assert_close(found, torch.tensor([packed, joint]))


@pytest.mark.parametrize(
    ("pooling", "first", "second", "other"),
    [
        ("cls", [3.0, -4.0], [7.0, 1.0], [4.0, -6.0]),
        ("mean", [4.0, 2.5], [7.0, 1.0], [4.0, -6.0]),
        ("max", [5.0, 9.0], [7.0, 1.0], [4.0, -6.0]),
    ],
)
def test_each_hypothesis_is_pooled_over_its_own_tokens(pooling, first, second, other):
    found_BSD = pooled_each(HIDDEN_TD, rows([0, 1, 1, 2], [0, 1]), pooling)
    assert found_BSD[0].tolist() == [first, second]
    assert found_BSD[1, 0].tolist() == other
    assert found_BSD.isfinite().all()


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_gradients_are_those_of_the_rows_one_by_one(pooling):
    inputs = rows([0, 0], [0, 1], [0, 0])
    together, apart = (HIDDEN_TD.clone().requires_grad_() for _ in range(2))
    pooled(together, inputs, pooling).square().sum().backward()
    for row in range(3):
        states = apart[inputs.offsets[row] : inputs.offsets[row + 1]]
        states = states[1:] if row == 1 else states
        one = {"cls": states[0], "mean": states.mean(0), "max": states.amax(0)}[pooling]
        one.square().sum().backward()
    torch.testing.assert_close(together.grad, apart.grad)
