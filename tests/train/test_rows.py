"""Task gradients of the real model: each row is what autograd gives for that task alone, and every weighting comes to what it says."""

import copy

import pytest
import torch

from mtl_cli.model.backbone.rows import RowGradEmbedding
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.model.sharing.hard import HardSharing
from mtl_cli.train.diagnose import Diagnostics
from mtl_cli.train.rows import RowStore
from mtl_cli.train.step.passes import Passes
from mtl_cli.weighting.base import BadStep, Chosen
from tests.fakes import cpu, encoded, one_step, tiny_backbone
from tests.train.test_step import KINDS, LABELS, LAMBDAS, TEXTS, assert_close, gradients, model_and_sets
from tests.weighting.fakes import METHODS, build

BY_TASK = [[0, 1, 2], [3, 4], [5, 6, 7, 8]]
CUTS = {"mixed": None, "by task": BY_TASK, "some of both": [[0, 3, 5], [1, 2], [4, 6, 7, 8]]}
every_cut = pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
PARAMS = ["all", 1, "everything", "attention.*query"]


def alone(model, step, k, rows=None):
    """The gradient of one task's weighted loss by an ordinary backward pass; only of some of its rows in the order of the step."""
    copied = copy.deepcopy(model)
    copied.zero_grad(set_to_none=True)
    losses = []
    for one in step.passes:
        for part, output in zip(one.parts, copied(one), strict=True):
            if part.task == "abc"[k]:
                losses.append(KINDS[part.task].loss(output.out, part.targets))
    losses = torch.cat(losses)
    (LAMBDAS[k] * (losses if rows is None else losses[rows]).mean()).backward()
    return {name: p.grad for name, p in copied.named_parameters() if p.grad is not None}


def row(model, passes, chosen, vector):
    """What a vector in the columns of J is to each parameter."""
    model.zero_grad(set_to_none=True)
    passes.descend(chosen, vector)
    found = gradients(model)
    model.zero_grad(set_to_none=True)
    return found


def only(gradient, model, params):
    """The gradient of the chosen parameters, zeros where it has none."""
    return {name: gradient.get(name, torch.zeros_like(p)) for name, p in model.choose(params)}


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("params", PARAMS)
@every_cut
def test_each_row_is_the_gradient_of_one_task(cut, params, sparse):
    model, sets = model_and_sets()
    step, chosen = one_step(sets, cut), Chosen(params, sparse=sparse)
    passes = Passes(model, KINDS, step, cpu())
    found = passes.task_gradients(LAMBDAS, chosen)
    assert found.index_P == (0, 1, 2)
    for k in range(3):
        assert_close(row(model, passes, chosen, found.matrix_PN[k]), only(alone(model, step, k), model, params))
    torch.testing.assert_close(found.losses_K, passes.again())


def test_an_embedding_table_has_columns_for_the_step_s_tokens_alone():
    model, sets = model_and_sets()
    step = one_step(sets)
    widths = [
        Passes(model, KINDS, step, cpu()).task_gradients(LAMBDAS, Chosen("all", sparse=sparse)).matrix_PN.shape[1]
        for sparse in (True, False)
    ]
    table = next(m for m in model.modules() if isinstance(m, RowGradEmbedding) and m.num_embeddings > 100)
    tables = [m for m in model.modules() if isinstance(m, RowGradEmbedding)]
    different = len(step.passes[0].inputs.ids_T.unique())
    assert widths[1] - widths[0] == sum((m.num_embeddings - different) * m.embedding_dim for m in tables)
    assert different < table.num_embeddings


def test_the_columns_of_a_step_are_kept_from_the_step_before():
    model, sets = model_and_sets()
    chosen, stores = Chosen("all"), {}
    for positions in ([[0, 1, 2, 3, 5]], [[0, 4, 6, 7, 8]], [list(range(9))]):
        step = one_step(sets, positions)
        present = [task for task in "abc" if any(part.task == task for part in step.passes[0].parts)]
        counts = {part.task: part.rows.stop - part.rows.start for part in step.passes[0].parts}
        step = type(step)(step.passes, {task: counts[task] for task in present}, sum(counts.values()))
        passes = Passes(model, KINDS, step, cpu(), stores)
        found = passes.task_gradients(LAMBDAS, chosen)
        for p, k in enumerate(found.index_P):
            assert_close(row(model, passes, chosen, found.matrix_PN[p]), only(alone(model, step, k), model, "all"))
    assert len(stores) == 1


def test_an_absent_task_has_no_row_and_no_gradient():
    model, sets = model_and_sets()
    del sets["b"]
    step, chosen = one_step(sets), Chosen("all")
    passes = Passes(model, KINDS, step, cpu())
    found = passes.task_gradients(LAMBDAS, chosen)
    assert found.index_P == (0, 2)
    assert len(found.matrix_PN) == 2
    assert torch.isnan(found.losses_K).tolist() == [False, True, False]
    assert all(p.grad is None for p in model.head("b").parameters())
    assert_close(row(model, passes, chosen, found.matrix_PN[1]), only(alone(model, step, 2), model, "all"))


@pytest.mark.parametrize("sparse", [True, False])
def test_rows_in_bfloat16_are_the_rows_rounded_once(sparse):
    model, sets = model_and_sets()
    step = one_step(sets, CUTS["some of both"])
    wide, narrow = (
        Passes(model, KINDS, step, cpu()).task_gradients(LAMBDAS, Chosen("all", dtype, sparse)).matrix_PN
        for dtype in ("float32", "bfloat16")
    )
    assert narrow.dtype == torch.bfloat16
    assert torch.equal(narrow, wide.bfloat16())


@pytest.mark.parametrize("parts", [2, 3])
@every_cut
def test_parts_are_disjoint_and_together_the_whole(cut, parts):
    model, sets = model_and_sets("ac")
    kinds = {name: KINDS[name] for name in "ac"}
    cut = cut and [[0, 3], [1, 2], [4, 5, 6]]
    step, chosen = one_step(sets, cut), Chosen("all")
    lambdas = torch.tensor([0.5, 1.5])
    passes = Passes(model, kinds, step, cpu())
    whole = passes.task_gradients(lambdas, chosen).matrix_PN.clone()
    others = gradients(model)
    model.zero_grad(set_to_none=True)
    total = torch.zeros_like(whole)
    for j in range(parts):
        found = passes.task_gradients(lambdas, chosen, part=(j, parts))
        for p, rows in enumerate((3, 4)):
            total[p] += found.matrix_PN[p] * len(range(j, rows, parts)) / rows
    torch.testing.assert_close(total, whole, atol=1e-6, rtol=1e-4)
    # Each part has added its share of the plain gradient of the heads.
    assert_close(gradients(model), others)


def test_a_part_is_the_mean_over_its_rows():
    model, sets = model_and_sets()
    step, chosen = one_step(sets), Chosen(1)
    passes = Passes(model, KINDS, step, cpu())
    for j in range(2):
        found = passes.task_gradients(LAMBDAS, chosen, part=(j, 2))
        for k in range(3):
            expected = only(alone(model, step, k, slice(j, None, 2)), model, 1)
            assert_close(row(model, passes, chosen, found.matrix_PN[k]), expected)


def test_too_few_rows_for_the_parts_are_a_step_that_cannot_be_used():
    model, sets = model_and_sets()
    with pytest.raises(BadStep, match="number of rows is too small for 3 parts") as found:
        Passes(model, KINDS, one_step(sets), cpu()).task_gradients(LAMBDAS, Chosen(1), part=(2, 3))
    assert found.value.task == 1


@every_cut
def test_a_step_costs_one_backward_a_task_and_pass_at_most(cut, monkeypatch):
    model, sets = model_and_sets()
    fabric, calls = cpu(), []
    backward = fabric.backward
    monkeypatch.setattr(fabric, "backward", lambda loss: calls.append(1) or backward(loss))
    step = one_step(sets, cut)
    Passes(model, KINDS, step, fabric).task_gradients(LAMBDAS, Chosen("all"))
    assert len(calls) == sum(len(one.parts) for one in step.passes)
    if cut == BY_TASK:
        assert len(calls) == 3


@pytest.mark.parametrize("params", PARAMS)
def test_what_is_not_chosen_gets_the_plain_gradient(params):
    model, sets = model_and_sets()
    step = one_step(sets)
    plain = copy.deepcopy(model)
    Passes(plain, KINDS, step, cpu()).accumulate(LAMBDAS)
    Passes(model, KINDS, step, cpu()).task_gradients(LAMBDAS, Chosen(params))
    left = {name for name, _ in model.choose(params)}
    assert_close(gradients(model), {n: g for n, g in gradients(plain).items() if n not in left})


@pytest.mark.parametrize("params", ["all", 1])
def test_others_may_be_left_alone(params):
    model, sets = model_and_sets()
    Passes(model, KINDS, one_step(sets), cpu()).task_gradients(LAMBDAS, Chosen(params), others=False)
    assert gradients(model) == {}
    assert all(p.requires_grad for p in model.heads.parameters())
    assert len(list(model.trained())) > 20


def test_a_look_draws_nothing_and_changes_no_gradient():
    torch.manual_seed(0)
    sharing = HardSharing(tiny_backbone(dropout=0.5), list("abc"), head_dropout=0.5)
    model = MultiTaskModel(sharing, {t: KINDS[t].head for t in "abc"}, 0).train()
    step = one_step({t: encoded(sharing.backbone, TEXTS[t], LABELS[t]) for t in "abc"})
    found = []
    for look in (False, True):
        torch.manual_seed(1)
        passes = Passes(model, KINDS, step, cpu())
        if look:
            Diagnostics(tuple("abc"), 1, Chosen(1)).look(passes, LAMBDAS)
        model.zero_grad(set_to_none=True)
        passes.accumulate(LAMBDAS)
        found.append(gradients(model))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("params", PARAMS)
def test_a_combination_of_rows_is_the_gradient_of_the_weighted_losses(params, dtype):
    model, sets = model_and_sets()
    step, chosen = one_step(sets), Chosen(params, dtype)
    w, expected = torch.tensor([2.0, 0.5, -1.0]), copy.deepcopy(model)
    Passes(expected, KINDS, step, cpu()).accumulate(w * LAMBDAS)
    passes = Passes(model, KINDS, step, cpu())
    matrix_PN = passes.task_gradients(LAMBDAS, chosen).matrix_PN
    found = row(model, passes, chosen, w @ matrix_PN.float())
    assert_close(found, only(gradients(expected), model, params), atol=1e-5 if dtype == "float32" else 2e-2)


@pytest.mark.parametrize("params", ["all", 1, "everything"])
def test_moved_parameters_are_back_bit_for_bit(params):
    model, sets = model_and_sets()
    chosen = Chosen(params)
    passes = Passes(model, KINDS, one_step(sets), cpu())
    matrix_PN = passes.task_gradients(LAMBDAS, chosen).matrix_PN.clone()
    before = copy.deepcopy(model.state_dict())
    direction = row(model, passes, chosen, matrix_PN[0])
    with passes.moved(chosen, -0.1 * matrix_PN[0]):
        for name, p in model.choose(params):
            torch.testing.assert_close(p, before[name] - 0.1 * direction[name])
        assert passes.again()[0] < passes_at(model, before, sets)[0]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def passes_at(model, state, sets):
    other = copy.deepcopy(model)
    other.load_state_dict(state)
    return Passes(other, KINDS, one_step(sets), cpu()).again()


def test_parameters_are_back_even_if_something_fails():
    model, sets = model_and_sets()
    passes = Passes(model, KINDS, one_step(sets), cpu())
    size = passes.task_gradients(LAMBDAS, Chosen("all")).matrix_PN.shape[1]
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(BadStep), passes.moved(Chosen("all"), torch.ones(size)):
        raise BadStep("loss", "is nan")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_again_draws_no_graph():
    model, sets = model_and_sets()
    passes = Passes(model, KINDS, one_step(sets), cpu())
    assert not passes.again().requires_grad
    assert gradients(model) == {}


def test_a_choice_that_means_nothing_is_refused():
    model, _ = model_and_sets()
    with pytest.raises(ValueError, match="no trained parameter that tasks share is meant by 'nonesuch'"):
        RowStore(model, Chosen("nonesuch"), 3)


TEXTS_OF_SIX = {
    "a": ["short", "a longer one", "mid size", "x", "yes or no", "perhaps"],
    "b": ["b", "bb bb", "more", "of the same", "and", "so on"],
    "c": ["number one", "two", "the third", "4", "five", "six of six"],
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("cut", [None, [range(6), range(6, 12), range(12, 18)]], ids=["mixed", "by task"])
def test_every_weighting_leaves_the_gradient_that_its_weights_say(name, cut):
    model, _ = model_and_sets()
    sets = {t: encoded(model.sharing.backbone, TEXTS_OF_SIX[t], [0, 1, 1, 0, 1, 0]) for t in "abc"}
    step = one_step(sets, cut)
    weighting = build(name, "abc")
    torch.manual_seed(0)
    weighted = weighting.backward(Passes(model, KINDS, step, cpu()), 0)
    found, plain = gradients(model), copy.deepcopy(model)
    plain.zero_grad(set_to_none=True)
    expected = Passes(plain, KINDS, step, cpu()).accumulate(weighted.weights_K.nan_to_num(1.0))
    assert found.keys() == gradients(plain).keys()
    assert all(g.isfinite().all() for g in found.values())
    if name != "auto_lambda":  # its held-out half is looked at elsewhere
        torch.testing.assert_close(weighted.losses_K, expected.losses_K, rtol=1e-4, atol=1e-5)
    if weighted.weights_K.isfinite().all() and weighting.parts == 1:
        scheme = {n: g for n, g in found.items() if n.startswith("sharing.")}
        assert_close(scheme, {n: g for n, g in gradients(plain).items() if n in scheme}, atol=1e-4)
    if weighting.chosen is not None and name != "auto_lambda":
        plain.zero_grad(set_to_none=True)
        Passes(plain, KINDS, step, cpu()).accumulate(torch.ones(3))
        heads = {n: g for n, g in found.items() if n.startswith("heads.")}
        assert_close(heads, {n: g for n, g in gradients(plain).items() if n in heads}, atol=1e-5)


@pytest.mark.parametrize("name", [m for m in METHODS if build(m).chosen is not None])
def test_every_gradient_method_takes_rows_in_bfloat16(name):
    model, _ = model_and_sets()
    sets = {t: encoded(model.sharing.backbone, TEXTS_OF_SIX[t], [0, 1, 1, 0, 1, 0]) for t in "abc"}
    step, found = one_step(sets), []
    for rows in ("float32", "bfloat16"):
        model.zero_grad(set_to_none=True)
        torch.manual_seed(0)
        build(name, "abc", rows=rows, params=1).backward(Passes(model, KINDS, step, cpu()), 0)
        found.append(torch.cat([p.grad.flatten() for _, p in model.choose(1)]))
    assert torch.cosine_similarity(*found, dim=0) > (0.95 if name == "graddrop" else 0.999)


def test_a_head_that_tasks_share_gets_the_plain_gradient_of_them_all():
    torch.manual_seed(0)
    sharing = HardSharing(tiny_backbone(), list("abc"), head_dropout=0.0)
    kinds = {"a": KINDS["a"], "b": KINDS["a"], "c": KINDS["c"]}
    model = MultiTaskModel(sharing, {t: k.head for t, k in kinds.items()}, 0, {"b": "a"}).train()
    labels = {**LABELS, "b": [1, 0]}
    step = one_step({t: encoded(sharing.backbone, TEXTS[t], labels[t]) for t in "abc"}, CUTS["some of both"])
    plain = copy.deepcopy(model)
    Passes(plain, kinds, step, cpu()).accumulate(LAMBDAS)
    passes, chosen = Passes(model, kinds, step, cpu()), Chosen("all")
    found = passes.task_gradients(LAMBDAS, chosen)
    heads = {n: g for n, g in gradients(model).items() if n.startswith("heads.")}
    assert sorted(heads) == [f"heads.task_{t}.linear.{p}" for t in "ac" for p in ("bias", "weight")]
    assert_close(heads, {n: g for n, g in gradients(plain).items() if n in heads}, atol=1e-5)
    passes.descend(chosen, found.matrix_PN.sum(0))
    assert_close(gradients(model), gradients(plain), atol=1e-5)


def test_looking_at_everything_a_shared_head_has_a_gradient_of_each_of_its_tasks():
    torch.manual_seed(0)
    sharing = HardSharing(tiny_backbone(), list("abc"), head_dropout=0.0)
    kinds = {"a": KINDS["a"], "b": KINDS["a"], "c": KINDS["c"]}
    model = MultiTaskModel(sharing, {t: k.head for t, k in kinds.items()}, 0, {"b": "a"}).train()
    step = one_step({t: encoded(sharing.backbone, TEXTS[t], {**LABELS, "b": [1, 0]}[t]) for t in "abc"})
    chosen = Chosen("everything", sparse=False)
    rows = Passes(model, kinds, step, cpu()).task_gradients(LAMBDAS, chosen).matrix_PN
    at = 0
    for name, p in model.choose("everything"):
        if name.startswith("heads."):
            used = rows[:, at : at + p.numel()].abs().sum(1) > 0
            assert used.tolist() == ([True, True, False] if "task_a" in name else [False, False, True]), name
        at += p.numel()
