"""The objective of plain training is the kind's own loss."""

import numpy as np
import torch

from mtl_cli.objectives.base import Vocabulary
from mtl_cli.objectives.supervised import Supervised
from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.kinds.classification import Classification
from tests.data.fakes import encoded_set
from tests.fakes import single_B

KIND = Classification(labels=["n", "y"])
SAME = Supervised(KIND, Vocabulary(10, None, ()))


def test_loss_head_and_units_are_those_of_the_kind():
    out, targets = Column(torch.randn(3, 2)), single_B([0, 1, 1])
    assert torch.equal(SAME.loss(out, targets), KIND.loss(out, targets))
    assert SAME.head == KIND.head
    assert SAME.units(encoded_set([3, 3, 3], labels=[0, np.nan, 1])).tolist() == [1, 0, 1]


def test_rows_stay_as_they_are():
    ids = [np.array([1, 2])]
    found = SAME.prepared(ids, np.array([0]), (1,))
    assert found.ids is ids
    assert (found.targets, found.arrays) == ({}, {})
