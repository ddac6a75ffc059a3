import pytest
import torch
from torch import nn

from mtl_cli.errors import ConfigError
from mtl_cli.optim.groups import Placed, Rates, adamw, freeze, set_rates

RATES = Rates(lr=0.1, head_lr=0.7, weight_decay=0.01, betas=(0.9, 0.99), eps=1e-8, layer_decay=0.5)


def placed(layers=2):
    """A matrix and a bias in embeddings (0), each layer and a head (None)."""
    found = []
    for depth in [*range(layers + 1), None]:
        found += [
            Placed(nn.Parameter(torch.ones(2, 2)), f"{depth}.weight", depth),
            Placed(nn.Parameter(torch.ones(2)), f"{depth}.bias", depth),
        ]
    return found


def settings(optimizer, parameter):
    (group,) = [g for g in optimizer.param_groups if any(p is parameter for p in g["params"])]
    return group["lr"], group["weight_decay"]


def trained(items):
    return [item.name for item in items if item.parameter.requires_grad]


def test_each_layer_has_the_rate_of_its_depth_and_heads_their_own():
    items = placed()
    optimizer = adamw(items, 2, RATES, iter(()))
    rates = {item.name: settings(optimizer, item.parameter)[0] for item in items if item.name.endswith("weight")}
    assert rates == pytest.approx({"0.weight": 0.025, "1.weight": 0.05, "2.weight": 0.1, "None.weight": 0.7})


def test_only_matrices_are_decayed():
    items = placed()
    optimizer = adamw(items, 2, RATES, iter(()))
    for item in items:
        assert settings(optimizer, item.parameter)[1] == (0.01 if item.name.endswith("weight") else 0.0)


def test_every_trained_parameter_is_in_exactly_one_group():
    items = placed()
    items[0].parameter.requires_grad_(False)
    optimizer = adamw(items, 2, RATES, iter(()))
    held = [id(p) for g in optimizer.param_groups for p in g["params"]]
    assert sorted(held) == sorted(id(item.parameter) for item in items[1:])


def test_parameters_of_the_weighting_take_the_heads_rate_without_decay():
    own = nn.Parameter(torch.ones(3, 3))
    assert settings(adamw(placed(), 2, RATES, iter([own])), own) == (0.7, 0.0)


def test_betas_and_eps_reach_the_optimizer():
    group = adamw(placed(), 2, RATES, iter(())).param_groups[0]
    assert (group["betas"], group["eps"]) == ((0.9, 0.99), 1e-8)


def test_a_factor_scales_every_groups_own_rate_and_does_not_add_up():
    items = placed()
    optimizer = adamw(items, 2, RATES, iter(()))
    set_rates(optimizer, 0.9)
    set_rates(optimizer, 0.5)
    assert settings(optimizer, items[0].parameter)[0] == pytest.approx(0.0125)
    assert settings(optimizer, items[-1].parameter)[0] == pytest.approx(0.35)


def test_nothing_left_to_train_is_refused():
    items = placed()
    for item in items:
        item.parameter.requires_grad_(False)
    with pytest.raises(ConfigError, match=r"optim.freeze: nothing is left to train"):
        adamw(items, 2, RATES, iter(()))


@pytest.mark.parametrize(
    ("upto", "left"),
    [("nothing", "0 1 2 None"), ("encoder", "None"), (0, "1 2 None"), (1, "2 None"), (2, "None")],
)
def test_freezing_takes_embeddings_and_lowest_layers_and_no_head(upto, left):
    items = placed()
    freeze(items, 2, upto)
    assert trained(items) == [f"{depth}.{kind}" for depth in left.split() for kind in ("weight", "bias")]


def test_freezing_more_layers_than_there_are_is_refused():
    with pytest.raises(
        ConfigError, match=r"optim.freeze: the encoder has 2 layers; found 3. For all of it: optim.freeze=encoder"
    ):
        freeze(placed(), 2, 3)


def test_one_update_is_adamw_as_in_the_paper():
    weight = nn.Parameter(torch.tensor([[2.0]]))
    optimizer = adamw([Placed(weight, "w", None)], 0, RATES, iter(()))
    weight.grad = torch.tensor([[0.3]])
    optimizer.step()
    # the first step's m / sqrt(v) is the gradient's sign
    assert weight.item() == pytest.approx(2.0 - 0.7 * 0.01 * 2.0 - 0.7, rel=1e-5)
