import json
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mtl_cli.optim.groups import Placed, Rates, adamw
from mtl_cli.train.state import generator_state, load_generators, load_optimizer, optimizer_tensors

RATES = Rates(lr=0.01, head_lr=0.1, weight_decay=0.1, betas=(0.9, 0.999), eps=1e-8, layer_decay=0.9)


def model_and_optimizer():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 2))
    model[1].bias.requires_grad_(False)
    return model, adamw(
        [Placed(p, n, None if n.startswith("2") else 0) for n, p in model.named_parameters()], 2, RATES, iter(())
    )


def train(model, optimizer, steps, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 4, generator=generator)).square().sum().backward()
        optimizer.step()


def through_files(tensors, values, folder):
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "t.safetensors")
    return load_file(folder / "t.safetensors"), json.loads(json.dumps(values))


def test_an_optimizer_goes_on_bit_for_bit_from_its_file(tmp_path):
    model, optimizer = model_and_optimizer()
    train(model, optimizer, 3, seed=1)
    tensors, _ = through_files(optimizer_tensors(optimizer), None, tmp_path)
    other, fresh = model_and_optimizer()
    other.load_state_dict(model.state_dict())
    load_optimizer(fresh, tensors)
    train(model, optimizer, 3, seed=2)
    train(other, fresh, 3, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))
    assert all(torch.equal(v, optimizer_tensors(fresh)[k]) for k, v in optimizer_tensors(optimizer).items())


def test_loading_a_state_leaves_the_rates_as_they_are():
    _, optimizer = model_and_optimizer()
    load_optimizer(optimizer, {})
    for key in ("lr", "base_lr"):
        assert [group[key] for group in optimizer.param_groups] == pytest.approx([0.0081, 0.0081, 0.1, 0.1])


def test_tensors_of_others_in_the_file_are_not_taken_for_the_optimizers():
    model, optimizer = model_and_optimizer()
    train(model, optimizer, 1, seed=1)
    state = optimizer_tensors(optimizer)
    load_optimizer(optimizer, {**state, "rng.cpu": torch.get_rng_state(), "weighting.mean": torch.ones(2)})
    assert optimizer_tensors(optimizer).keys() == state.keys()


def test_every_generator_goes_on_bit_for_bit_from_its_file(tmp_path):
    def draws():
        return [
            random.random(),
            random.gauss(0, 1),
            *np.random.rand(2),
            np.random.randn(),
            *torch.rand(3).tolist(),
            torch.randn(1).item(),
        ]

    random.gauss(0, 1)  # leaves a second number in store, as does NumPy's
    np.random.randn()
    tensors, values = through_files(*generator_state(), tmp_path)
    expected = draws()
    random.seed(9)
    np.random.seed(9)
    torch.manual_seed(9)
    load_generators(tensors, values)
    assert draws() == expected
