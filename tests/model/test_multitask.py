import pytest
import torch

from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.model.sharing.hard import HardSharing
from mtl_cli.tasks.kinds.base import HeadSpec
from tests.fakes import encoded, one_step, tiny_backbone

SIZES = {"rte": 2, "mnli": 3, "stsb": 1}


def model(*tasks, seed=0, backbone=None):
    torch.manual_seed(seed)
    sharing = HardSharing(backbone or tiny_backbone(), list(tasks), head_dropout=0.0)
    return MultiTaskModel(sharing, {t: HeadSpec(SIZES[t]) for t in tasks}, seed)


def batch(backbone, **rows):
    sets = {task: encoded(backbone, texts, [0.0] * len(texts)) for task, texts in rows.items()}
    return one_step(sets, backbone.pad_id).passes[0]


def test_a_task_starts_from_the_same_head_alone_and_with_others():
    alone, together = model("mnli"), model("rte", "stsb", "mnli")
    for one, other in zip(alone.head("mnli").parameters(), together.head("mnli").parameters(), strict=True):
        assert torch.equal(one, other)


def test_each_part_of_a_batch_goes_to_its_own_head_in_order():
    m = model("rte", "mnli", "stsb")
    outputs = m(batch(m.sharing.backbone, stsb=["a", "bc"], mnli=["def"]))
    assert [(o.task, tuple(o.out_BC.shape)) for o in outputs] == [("stsb", (2, 1)), ("mnli", (1, 3))]


def test_a_row_has_the_same_outputs_whatever_tasks_share_its_batch():
    m = model("rte", "mnli")
    together = m(batch(m.sharing.backbone, rte=["short"], mnli=["a much longer text than the other one"]))
    alone = m(batch(m.sharing.backbone, rte=["short"]))
    torch.testing.assert_close(together[0].out_BC, alone[0].out_BC, atol=1e-5, rtol=0)


def test_names_that_a_module_may_not_have_are_tasks_all_the_same():
    sharing = HardSharing(tiny_backbone(), ["keys", "pop"], head_dropout=0.0)
    m = MultiTaskModel(sharing, {"keys": HeadSpec(2), "pop": HeadSpec(1)}, 0)
    assert m.head("pop").linear.out_features == 1


def test_the_state_beyond_the_encoder_is_the_heads():
    m = model("rte", "stsb")
    assert sorted(m.state_beyond_encoder()) == [
        f"heads.task_{t}.linear.{p}" for t in ("rte", "stsb") for p in ("bias", "weight")
    ]


def test_encoder_folder_and_state_beyond_it_are_the_whole_model(tmp_path):
    from transformers import AutoModel

    m, other = model("rte", seed=0), model("rte", seed=1)
    m.sharing.backbone.save(tmp_path)
    other.sharing.backbone.encoder.load_state_dict(AutoModel.from_pretrained(tmp_path).state_dict())
    other.load_state_dict(m.state_beyond_encoder(), strict=False)
    assert all(torch.equal(a, b) for a, b in zip(m.state_dict().values(), other.state_dict().values(), strict=True))


def test_shared_and_task_parameters_partition_what_is_trained():
    m = model("rte", "mnli", "stsb")
    pieces = [list(m.sharing.shared_parameters()), *(list(m.task_parameters(t)) for t in SIZES)]
    ids = [id(p) for piece in pieces for p in piece]
    assert len(ids) == len(set(ids))
    assert set(ids) == {id(p) for _, p in m.trained()}
    assert all(pieces)


def test_frozen_parameters_are_not_among_the_trained():
    m = model("rte")
    m.sharing.backbone.encoder.requires_grad_(False)
    assert [name for name, _ in m.trained()] == ["heads.task_rte.linear.weight", "heads.task_rte.linear.bias"]
    assert list(m.sharing.shared_parameters()) == []


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_builds_the_same_model(seed):
    one, other = model("rte", seed=seed), model("rte", seed=seed)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def names_of(found):
    return {name for name, _ in found}


def test_parameters_are_chosen_by_what_is_asked():
    m = model("rte", "mnli")
    every = names_of(m.trained())
    assert names_of(m.choose("everything")) == every
    assert names_of(m.choose("all")) == {n for n in every if n.startswith("sharing.")}
    assert names_of(m.choose(1)) == {n for n in every if "layer.1." in n}
    assert names_of(m.choose(2)) == {n for n in every if ".layer." in n}
    assert names_of(m.choose(99)) == names_of(m.choose("all"))
    assert names_of(m.choose(r"layer\.0\..*query")) == {n for n in every if "layer.0.attention.self.query" in n}


def test_the_depth_of_a_parameter_is_its_layer():
    m = model("rte")
    depths = {name: m.depth(name) for name, _ in m.trained()}
    assert {d for n, d in depths.items() if "embeddings" in n} == {0}
    assert {d for n, d in depths.items() if "layer.1." in n} == {2}
    assert {d for n, d in depths.items() if n.startswith("heads.")} == {None}


@pytest.mark.parametrize(
    ("params", "words"),
    [("nonesuch", "meant by 'nonesuch'; one of them is called sharing"), ("lora", "meant by 'lora'"),
     ("(", r"'\(' is neither all, a number of layers, lora, nor a regular expression")],
)  # fmt: skip
def test_a_choice_without_parameters_is_refused_with_a_name_that_there_is(params, words):
    with pytest.raises(ValueError, match=words):
        model("rte").choose(params)


def test_frozen_parameters_are_not_chosen():
    m = model("rte", "mnli")
    m.sharing.backbone.encoder.requires_grad_(False)
    with pytest.raises(ValueError, match="tasks share no trained parameter here"):
        m.choose("all")
    assert names_of(m.choose("everything")) == names_of(m.trained())
