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
    return one_step(sets).passes[0]


def test_a_task_starts_from_the_same_head_alone_and_with_others():
    alone, together = model("mnli"), model("rte", "stsb", "mnli")
    for one, other in zip(alone.head("mnli").parameters(), together.head("mnli").parameters(), strict=True):
        assert torch.equal(one, other)


def test_each_part_of_a_batch_goes_to_its_own_head_in_order():
    m = model("rte", "mnli", "stsb")
    outputs = m(batch(m.sharing.backbone, stsb=["a", "bc"], mnli=["def"]))
    assert [(o.task, tuple(o.out.values.shape)) for o in outputs] == [("stsb", (2, 1)), ("mnli", (1, 3))]


def test_a_row_has_the_same_outputs_whatever_tasks_share_its_batch():
    m = model("rte", "mnli")
    together = m(batch(m.sharing.backbone, rte=["short"], mnli=["a much longer text than the other one"]))
    alone = m(batch(m.sharing.backbone, rte=["short"]))
    torch.testing.assert_close(together[0].out.values, alone[0].out.values, atol=1e-5, rtol=0)


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
     ("(", r"'\(' is neither all, a number of layers, nor a regular expression")],
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


def shared_model(seed=0, named=None, sizes=None):
    """a and b have one head, c has its own."""
    sharing = HardSharing(tiny_backbone(), list("abc"), head_dropout=0.0)
    sizes = sizes or {"a": 2, "b": 2, "c": 2}
    return MultiTaskModel(
        sharing, {t: HeadSpec(n) for t, n in sizes.items()}, seed, named or {"a": "same", "b": "same"}
    )


def test_tasks_that_name_one_head_have_one_module():
    m = shared_model()
    assert m.head("a") is m.head("b")
    assert m.head("c") is not m.head("a")
    assert [n for n in m.state_beyond_encoder() if n.startswith("heads.")] == [
        f"heads.task_{h}.linear.{p}" for h in ("same", "c") for p in ("weight", "bias")
    ]


def test_a_shared_head_starts_from_its_own_name():
    alone = MultiTaskModel(HardSharing(tiny_backbone(), ["b"], head_dropout=0.0), {"b": HeadSpec(2)}, 0, {"b": "same"})
    assert torch.equal(alone.head("b").linear.weight, shared_model().head("a").linear.weight)
    named_so = MultiTaskModel(HardSharing(tiny_backbone(), ["same"], head_dropout=0.0), {"same": HeadSpec(2)}, 0)
    assert torch.equal(named_so.head("same").linear.weight, alone.head("b").linear.weight)


def test_a_task_may_have_the_head_of_another_task():
    m = shared_model(named={"a": "c"})
    assert m.head("a") is m.head("c")
    assert m.head("b") is not m.head("c")


def test_a_shared_head_is_no_parameter_of_one_task_alone_but_one_that_each_of_them_changes():
    m = shared_model()
    shared = {id(p) for p in m.head("a").parameters()}
    for task in "ab":
        assert shared <= {id(p) for p in m.parameters_of(task)}
        assert list(m.task_parameters(task)) == []
    assert shared.isdisjoint(id(p) for p in m.parameters_of("c"))
    assert {id(p) for p in m.task_parameters("c")} == {id(p) for p in m.head("c").parameters()}
    assert shared.isdisjoint(id(p) for _, p in m.choose("all"))
    assert [id(p) for _, p in m.choose("everything")].count(id(m.head("b").linear.bias)) == 1


def test_a_head_has_one_size():
    with pytest.raises(ValueError, match="task 'b' cannot share the head 'same': it needs 3 outputs"):
        shared_model(sizes={"a": 2, "b": 3, "c": 2})
