import pytest
import torch

from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.model.sharing.hard import HardSharing
from mtl_cli.tasks.kinds.base import HeadSpec
from tests.fakes import encoded, one_step, tiny_backbone


def two_tasks():
    sharing = HardSharing(tiny_backbone(), ["a", "b"], head_dropout=0.0)
    return MultiTaskModel(sharing, {"a": HeadSpec(2), "b": HeadSpec(2)}, 0)


def test_the_gradient_of_one_task_reaches_the_encoder_and_not_the_other_head():
    model = two_tasks()
    sets = {t: encoded(model.sharing.backbone, ["some text", "more"], [0, 1]) for t in ("a", "b")}
    model(one_step(sets).passes[0])[0].out.values.square().sum().backward()
    assert all(p.grad is not None for p in model.sharing.shared_parameters())
    assert all(p.grad.any() for p in model.head("a").parameters())
    assert all(p.grad is None or not p.grad.any() for p in model.head("b").parameters())


def test_every_trained_parameter_of_the_encoder_is_on_the_way_to_a_loss():
    model = two_tasks()
    sets = {"a": encoded(model.sharing.backbone, ["text"], [0])}
    model(one_step(sets).passes[0])[0].out.values.sum().backward()
    assert [n for n, p in model.sharing.named_parameters() if p.requires_grad and p.grad is None] == []


def test_features_are_the_token_states_and_their_pool():
    sharing = HardSharing(tiny_backbone(pooling="cls"), ["a"], head_dropout=0.0)
    batch = one_step({"a": encoded(sharing.backbone, ["abc", "d"], [0, 0])}).passes[0]
    features = sharing.features(batch)
    assert features.hidden_TD.shape == (8, 32)
    assert torch.equal(features.pooled_BD, features.hidden_TD[[0, 5]])


def test_it_gives_no_task_parameters_and_no_penalty():
    sharing = HardSharing(tiny_backbone(), ["a"], head_dropout=0.1)
    assert list(sharing.task_parameters("a")) == []
    assert sharing.penalty() is None
    assert sharing.head_dropout == 0.1


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_a_dropout_outside_the_unit_interval_is_refused(dropout):
    with pytest.raises(ValueError, match=r"head_dropout must lie in \[0, 1\)"):
        HardSharing(tiny_backbone(), ["a"], head_dropout=dropout)
