import inspect
import logging

import numpy as np
import pytest
import torch

from mtl_cli.zeroshot.scoring import likelihood
from mtl_cli.zeroshot.scoring.likelihood import Likelihood, Row
from tests.fakes import cpu
from tests.zeroshot.language import naive, small

PROMPTS = [(9, 8, 7), (20, 21, 22, 23, 24, 25, 26, 27), (5,), (9, 8, 7)]
# Shared beginnings, one that begins another, single tokens, one twice.
CONTINUATIONS = [(30, 31, 32), (30, 31, 33), (30, 31), (40,), (41,), (30,), (42, 31, 32, 33, 34), (40,)]


def of(model, batch_tokens=512, tree=True, limit=128):
    return Likelihood(model, cpu(), limit=limit, batch_tokens=batch_tokens, tree=tree)


def one_by_one(model, prompts=PROMPTS, continuations=CONTINUATIONS):
    return np.array([[naive(model, p, c) for c in continuations] for p in prompts])


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("batch_tokens", [1, 40, 10_000])
def test_a_tree_gives_what_one_pass_a_pair_gives(kind, batch_tokens):
    model = small(kind)
    expected = one_by_one(model)
    assert expected.std(axis=0).max() > 0.1  # the prompt matters
    asked = of(model, batch_tokens)
    assert asked.tree
    assert asked(PROMPTS, CONTINUATIONS) == pytest.approx(expected, abs=1e-4)
    alone = np.concatenate([asked([p], CONTINUATIONS) for p in PROMPTS[::-1]])[::-1]
    assert asked(PROMPTS, CONTINUATIONS) == pytest.approx(alone, rel=1e-5)


def test_without_a_tree_and_row_by_row_it_is_the_same():
    model = small()
    expected = one_by_one(model)
    assert of(model, tree=False)(PROMPTS, CONTINUATIONS) == pytest.approx(expected, abs=1e-4)
    rows = [Row((*p, *c), len(p)) for p in PROMPTS for c in CONTINUATIONS]
    assert of(model).of_rows([*rows, Row((5, 6), 2)]) == pytest.approx(np.append(expected.reshape(-1), 0), abs=1e-4)


def test_many_continuations_are_cut_into_trees_that_fit_in_memory(monkeypatch):
    model = small()
    many = [(30 + i % 7, 31 + i % 11, 32 + i % 13) for i in range(200)]
    whole = of(model)(PROMPTS, many)
    monkeypatch.setattr(likelihood, "_LOGITS", 20 * model.vocabulary)
    assert of(model).plan(np.array([3]), many).passes > 3
    assert of(model)(PROMPTS, many) == pytest.approx(whole, rel=1e-5)
    assert whole[:2, :9] == pytest.approx(one_by_one(model, PROMPTS[:2], many[:9]), abs=1e-4)


@pytest.mark.parametrize(
    ("model", "limit", "why"),
    [
        (lambda: small("bloom"), 128, "the model"),
        (lambda: small("mistral", sliding_window=4), 128, "the model sees 4 tokens back, and a row may have 128"),
        (lambda: small("mistral", sliding_window=4), 4, "does not keep to the mask of a tree"),
    ],
)
def test_a_model_that_takes_no_tree_is_found_and_asked_row_by_row(caplog, model, limit, why):
    model = model()
    with caplog.at_level(logging.WARNING):
        asked = of(model, limit=limit)
    assert not asked.tree
    assert why in caplog.text
    assert "scores are the same" in caplog.text
    assert asked(PROMPTS, CONTINUATIONS) == pytest.approx(one_by_one(model), abs=1e-4)


@pytest.mark.parametrize("tree", [True, False])
def test_what_is_planned_goes_through_the_model(tree):
    model = small()
    asked = of(model, batch_tokens=24, tree=tree)
    seen, forward = [], model.model.forward

    def counted(**inputs):
        seen.append(inputs["input_ids"].numel())
        return forward(**inputs)

    counted.__signature__ = inspect.signature(forward)
    model.model.forward = counted
    asked(PROMPTS, CONTINUATIONS)
    plan = asked.plan(np.array([len(p) for p in PROMPTS]), CONTINUATIONS)
    assert (plan.tokens, plan.passes) == (sum(seen), len(seen))


def test_logits_in_the_hundreds_are_finite():
    model = small()
    with torch.no_grad():
        model.model.lm_head.weight.mul_(50.0)
    found = of(model)(PROMPTS, CONTINUATIONS)
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 200
