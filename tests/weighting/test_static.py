import torch

from mtl_cli.weighting.base import Weighted
from mtl_cli.weighting.static import Static


class RecordedPasses:
    def __init__(self):
        self.asked = []

    def accumulate(self, weights_K):
        self.asked.append(weights_K)
        return Weighted(torch.ones(3), weights_K, None)


def test_the_weights_of_the_config_are_used_in_every_step_in_the_order_of_the_tasks():
    passes, weighting = RecordedPasses(), Static(("a", "b", "c"), lambda step: (0.5, 2.0, 0.0))
    for step in range(3):
        found = weighting.backward(passes, step)
        weighting.after_step(passes, step)
        weighting.end_epoch()
    assert [w.tolist() for w in passes.asked] == [[0.5, 2.0, 0.0]] * 3
    assert found.weights_K.tolist() == [0.5, 2.0, 0.0]


def test_weights_may_follow_the_step():
    passes, weighting = RecordedPasses(), Static(("a", "b"), lambda step: (1.0, step / 2))
    for step in range(3):
        weighting.backward(passes, step)
    assert [w.tolist() for w in passes.asked] == [[1.0, 0.0], [1.0, 0.5], [1.0, 1.0]]


def test_it_has_no_parameters_and_no_state():
    weighting = Static(("a",), lambda step: (1.0,))
    weighting.load_state_dict(weighting.state_dict())
    assert list(weighting.parameters()) == []
    assert weighting.state_dict() == {}
    assert not weighting.needs_every_task
