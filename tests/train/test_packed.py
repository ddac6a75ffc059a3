"""Steps with packed pairs: in one pass with joint rows, under every way of taking gradients, in groups, and in prediction."""

import dataclasses

import numpy as np
import pytest
import torch

from mtl_cli.data.batch import StepBatch
from mtl_cli.data.collate import collate
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.model.sharing.groups import GroupedSharing
from mtl_cli.model.sharing.hard import HardSharing
from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.train.predict import predict
from mtl_cli.train.step.passes import Passes
from mtl_cli.weighting.base import Chosen
from tests.fakes import cpu, encoded, one_step, refs, tiny_backbone

KINDS = {task: Classification(labels=["n", "y"]) for task in ("joint", "packed")}
JOINT = ["short", "a longer one", "mid size"]
PACKED = [("the text", "a hypothesis"), ("x", "it is so"), ("a rather long text", "no")]


def packed_set(backbone, pairs=PACKED):
    found = encoded(backbone, pairs, [0, 1, 1])
    ends = found.offsets[1:]
    seconds = [int((found.types_T[a:b] == 0).sum()) for a, b in zip(found.offsets[:-1], ends, strict=True)]
    return dataclasses.replace(found, arrays={"seconds": Column(np.array(seconds, np.int32))})


def given(groups=None, branch_at=0, pooling="mean"):
    torch.manual_seed(0)
    backbone = tiny_backbone(pooling=pooling)
    sets = {"joint": encoded(backbone, JOINT, [1, 0, 1]), "packed": packed_set(backbone)}
    if groups is None:
        sharing = HardSharing(backbone, list(sets), head_dropout=0.0)
    else:
        sharing = GroupedSharing(backbone, list(sets), groups=groups, branch_at=branch_at, head_dropout=0.0)
    return MultiTaskModel(sharing, {n: k.head for n, k in KINDS.items()}, 0), sets


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def after(model, step, work):
    model.zero_grad()
    return work(Passes(model, KINDS, step, cpu())), gradients(model)


def accumulated(passes):
    return passes.accumulate(torch.ones(2)).losses_K


@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
def test_joint_and_packed_rows_in_one_pass_are_what_they_are_in_passes_of_their_own(pooling):
    model, sets = given(pooling=pooling)
    together, apart = one_step(sets), one_step(sets, [range(3), range(3, 6)])
    assert [one.inputs.segments_T is None for one in (*together.passes, *apart.passes)] == [False, True, False]
    (losses, found), (expected_losses, expected) = (after(model, step, accumulated) for step in (together, apart))
    torch.testing.assert_close(losses, expected_losses, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)


def test_a_hypothesis_changes_nothing_of_the_text_but_the_text_much_of_the_hypothesis():
    model, sets = given()
    backbone = model.sharing.backbone.eval()
    others = packed_set(backbone, [(a, "another" + b) for a, b in PACKED])
    texts = packed_set(backbone, [("z" + a[1:], b) for a, b in PACKED])
    outputs = {}
    for name, one in (("own", sets["packed"]), ("others", others), ("texts", texts)):
        batch = collate(refs({"packed": one})[:1], {"packed": one})
        outputs[name] = backbone(batch.inputs), model(batch)[0].out.values
    begin = int(sets["packed"].arrays["seconds"].values[0])
    torch.testing.assert_close(outputs["own"][0][:begin], outputs["others"][0][:begin], atol=1e-5, rtol=1e-5)
    assert (outputs["own"][1] - outputs["texts"][1]).abs().max() > 1e-4


def by_rows(sparse):
    """Task gradients summed, as the simplest gradient method would."""
    chosen = Chosen("all", sparse=sparse)

    def work(passes):
        found = passes.task_gradients(torch.ones(2), chosen)
        passes.descend(chosen, found.matrix_PN.sum(0))
        return found.losses_K

    return work


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("groups", [None, [["joint"], ["packed"]], [["joint", "packed"]]])
def test_the_sum_of_task_gradients_is_the_plain_gradient(groups, sparse):
    model, sets = given(groups, branch_at=1 if groups and len(groups) > 1 else 0)
    step = one_step(sets)
    (losses, plain), (own_losses, found) = (after(model, step, work) for work in (accumulated, by_rows(sparse)))
    torch.testing.assert_close(own_losses, losses, atol=1e-6, rtol=1e-5)
    shared = [name for name, _ in model.choose("all")]
    assert any("layer.0" in name for name in shared)
    for name in shared:
        torch.testing.assert_close(found[name], plain[name], atol=1e-6, rtol=1e-4)


def test_a_packed_task_alone_has_the_plain_gradient_in_its_row():
    model, sets = given()
    step = StepBatch(one_step({"packed": sets["packed"]}).passes, {"packed": 3}, 3)
    (_, plain), (_, found) = after(model, step, accumulated), after(model, step, by_rows(True))
    for name, _ in model.choose("all"):
        torch.testing.assert_close(found[name], plain[name], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("branch_at", [0, 1])
def test_groups_give_packed_rows_the_features_of_one_encoder(branch_at):
    model, sets = given()
    grouped, _ = given([["joint"], ["packed"]], branch_at)
    batch = one_step(sets).passes[0]
    found, expected = grouped.eval().sharing.features(batch), model.eval().sharing.features(batch)
    torch.testing.assert_close(found.pooled_BD, expected.pooled_BD, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("batch_tokens", [1, 60, 10_000])
def test_predictions_of_packed_rows_do_not_depend_on_the_batch(batch_tokens):
    model, sets = given()
    found = predict(model, "packed", sets["packed"], batch_tokens=batch_tokens, fabric=cpu(), tick=lambda: None)
    alone = [
        model.eval()(collate([ref], {"packed": sets["packed"]}))[0].out.values[0]
        for ref in refs({"packed": sets["packed"]})
    ]
    torch.testing.assert_close(torch.from_numpy(found.values), torch.stack(alone).detach(), atol=1e-5, rtol=1e-5)
