import itertools

import torch

from mtl_cli.model.heads.base import HeadPlace
from mtl_cli.model.heads.pooled import PooledHead


def head(name="rte", seed=3, size=2, dropout=0.0):
    return PooledHead(HeadPlace(8, 8, dropout, seed, name), size)


def test_a_head_follows_from_seed_and_name_whatever_was_drawn_before():
    first = head()
    torch.rand(7)
    assert torch.equal(first.linear.weight, head().linear.weight)


def test_other_names_and_other_seeds_have_other_weights():
    weights = [head().linear.weight, head(name="sst2").linear.weight, head(seed=4).linear.weight]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(weights, 2))


def test_a_head_begins_small_and_without_bias():
    one = PooledHead(HeadPlace(400, 400, 0.0, 0, "t"), 50)
    assert abs(one.linear.weight.std().item() - 0.02) < 0.001
    assert not one.linear.bias.any()


def test_the_largest_seed_is_taken():
    head(seed=2**31 - 1)


def test_dropout_acts_in_training_alone():
    one, pooled = head(dropout=0.5), torch.ones(64, 8)
    assert not torch.equal(one(pooled)[0], one(pooled)[1])
    one.eval()
    assert torch.equal(one(pooled)[0], one(pooled)[1])
    assert one(pooled).shape == (64, 2)
