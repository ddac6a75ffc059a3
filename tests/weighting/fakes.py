"""A model so small that every weighting runs on it in microseconds: two shared vectors and one number a task, in bowls.

Legend: K tasks, P of them in a step, N chosen numbers. L_k of a row is c (1/2 |shared - centre_k - offset|^2 + 1/2 (head_k - aim_k)^2)
+ floor_k, so optimum and gradients can be worked out by hand. Gradients are autograd's.
"""

import json
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import yaml
from safetensors.torch import load, save
from torch import nn

from mtl_cli.config.convert import Node, bind
from mtl_cli.config.paths import config_dir
from mtl_cli.config.registry import FAMILIES
from mtl_cli.weighting.base import TaskGradients, Weighted

METHODS = tuple(FAMILIES["weighting"])
SHORT = {"excess_mtl": {"warmup_steps": 2}, "stch": {"warmup_steps": 2}, "pcd": {"primary": "a"}}
"""Options with which a few steps are enough, and which do not lean on the order of the tasks."""


def build(name, names=("a", "b"), lambdas=None, **options):
    """A weighting with the options of its YAML, but for some."""
    values = yaml.safe_load((config_dir() / f"weighting/{name}.yaml").read_text())
    values |= SHORT.get(name, {}) if len(names) > 1 else {}
    faults = []
    bound = bind("weighting", Node(values.pop("name"), values | options), faults, "weighting")
    assert not faults, faults
    fixed = lambdas or [1.0] * len(names)
    return bound.build(names, lambda step: fixed)


@dataclass(frozen=True)
class Bowl:
    """The loss of one task."""

    centre: tuple[float, ...]
    floor: float = 0.0
    factor: float = 1.0
    aim: float = 1.0
    offsets: tuple[float, ...] = (0.0,) * 6
    """One a row, added to each coordinate of the centre."""


class Bowls(nn.Module):
    """Shared vectors `low` and `high`, a head a task."""

    def __init__(self, bowls, start=(0.0, 0.0, 0.0, 0.0)):
        super().__init__()
        self.bowls = tuple(bowls)
        self.low, self.high = (nn.Parameter(torch.tensor(part)) for part in (start[:2], start[2:]))
        self.heads = nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in self.bowls)

    def loss(self, k, rows):
        """Mean loss of some rows of a task."""
        bowl = self.bowls[k]
        offsets = torch.tensor(bowl.offsets)[rows]
        apart = torch.cat([self.low, self.high]) - (torch.tensor(bowl.centre) + offsets[:, None])
        return bowl.factor * (apart.square().sum(1).mean() + (self.heads[k] - bowl.aim) ** 2) / 2 + bowl.floor

    def shared_gradient(self):
        """What the shared vectors have in `.grad`."""
        return torch.cat([p.grad if p.grad is not None else torch.zeros(2) for p in (self.low, self.high)])

    def head_gradients(self):
        """What each head has in `.grad`."""
        return [None if p.grad is None else p.grad.item() for p in self.heads]


class FakePasses:
    """`weighting.base.StepPasses` over `Bowls`.

    Args:
        model: the bowls.
        present: which tasks have rows; None: all.
    """

    def __init__(self, model, present=None):
        self.model = model
        self.present_P = tuple(range(len(model.bowls))) if present is None else tuple(present)
        self.backwards = 0
        self._kept = None

    def _losses(self, rows=slice(None)):
        losses = [torch.tensor(torch.nan)] * len(self.model.bowls)
        for k in self.present_P:
            losses[k] = self.model.loss(k, rows)
        return torch.stack(losses)

    def _chosen(self, chosen):
        shared = [self.model.low, self.model.high]
        return {"all": shared, 1: shared[1:], "everything": [*shared, *self.model.heads]}[chosen.params]

    def accumulate(self, weights_K):
        self.forward()
        return self.pull(weights_K)

    def forward(self):
        self._kept = self._losses()
        return self._kept.detach()

    def pull(self, weights_K):
        present = list(self.present_P)
        self.backwards += 1
        (weights_K[present] * self._kept[present]).sum().backward()
        return Weighted(self._kept.detach(), weights_K)

    def again(self):
        with torch.no_grad():
            return self._losses()

    def task_gradients(self, weights_K, chosen, *, others=True, part=(0, 1)):
        parameters = self._chosen(chosen)
        # Apart from one another: a task's slope of infinity times 0 would make the others' no numbers.
        losses = {k: self.model.loss(k, slice(part[0], None, part[1])) for k in self.present_P}
        rest = [p for p in self.model.parameters() if all(p is not q for q in parameters)] if others else []
        rows = []
        for k in self.present_P:
            self.backwards += 1
            asked = [*parameters, *rest]
            found = torch.autograd.grad(weights_K[k] * losses[k], asked, allow_unused=True)
            found = [torch.zeros_like(p) if g is None else g for p, g in zip(asked, found, strict=True)]
            rows.append(torch.cat([g.flatten() for g in found[: len(parameters)]]))
            for p, g in zip(rest, found[len(parameters) :], strict=True):
                p.grad = (0 if p.grad is None else p.grad) + g / part[1]
        matrix_PN = torch.stack(rows).to(getattr(torch, chosen.dtype))
        losses_K = torch.full((len(self.model.bowls),), torch.nan)
        losses_K[list(losses)] = torch.stack(list(losses.values())).detach()
        return TaskGradients(self.present_P, losses_K, matrix_PN)

    def descend(self, chosen, direction_N):
        at = 0
        for p in self._chosen(chosen):
            p.grad = direction_N[at : at + p.numel()].view_as(p).clone()
            at += p.numel()

    @contextmanager
    def moved(self, chosen, step_N):
        parameters = self._chosen(chosen)
        before = [p.detach().clone() for p in parameters]
        at = 0
        with torch.no_grad():
            for p in parameters:
                p.add_(step_N[at : at + p.numel()].view_as(p))
                at += p.numel()
        try:
            yield
        finally:
            with torch.no_grad():
                for p, old in zip(parameters, before, strict=True):
                    p.copy_(old)


def one_step(weighting, model, *, step=0, present=None):
    """The gradient of a step in `.grad`, and what the weighting says of it."""
    model.zero_grad(set_to_none=True)
    passes = FakePasses(model, present)
    weighted = weighting.backward(passes, step)
    return passes, weighted


def train(weighting, model, steps, *, first=0, lr=0.1, seed=None, scores=None, epoch=3):
    """Plain gradient descent on model and weighting, with epochs and evaluations, as the loop calls them; the weights of each step."""
    found = []
    for step in range(first, first + steps):
        if seed is not None:
            torch.manual_seed(seed + step)
        passes, weighted = one_step(weighting, model, step=step)
        own = list(weighting.parameters())
        with torch.no_grad():
            for p in [*model.parameters(), *own]:
                if p.grad is not None:
                    p.sub_(lr * p.grad)
        for p in own:
            p.grad = None
        weighting.after_step(passes, step)
        if (step + 1) % epoch == 0:
            weighting.end_epoch()
        if scores and (step + 1) % 2 == 0:
            weighting.after_evaluation(scores)
        found.append(weighted.weights_K.tolist())
    return found


def through_files(state):
    """A state as a resumed run gets it: tensors by safetensors, all else by JSON."""
    tensors = {k: v for k, v in state.items() if isinstance(v, torch.Tensor)}
    plain = {k: v for k, v in state.items() if not isinstance(v, torch.Tensor)}
    return json.loads(json.dumps(plain)) | load(save({k: v.contiguous() for k, v in tensors.items()}))


def frozen(state):
    """A state that stays what it is when the run goes on, to compare with another."""
    return {k: (v.tolist() if isinstance(v, torch.Tensor) else v) for k, v in state.items()}
