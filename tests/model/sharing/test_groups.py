import copy

import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModel,
    BartConfig,
    DebertaV2Config,
    ElectraConfig,
    ModernBertConfig,
    RobertaConfig,
)

from mtl_cli.errors import ConfigError
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.backbone.rows import RowGradEmbedding
from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.model.sharing.groups import GroupedSharing
from mtl_cli.model.sharing.hard import HardSharing
from mtl_cli.tasks.kinds.base import HeadSpec
from tests.fakes import encoded, one_step, tiny_backbone

TEXTS = {
    "a": ["short", "a text of the first task"],
    "b": ["the longest text of all by far, of the second task", "b"],
    "c": [("a pair", "of the third"), "and one alone"],
}
SMALL = {
    "vocab_size": 300,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
FAMILIES = [
    RobertaConfig(**SMALL, max_position_embeddings=90, pad_token_id=1),
    ElectraConfig(**SMALL, embedding_size=8),
    ModernBertConfig(**SMALL, pad_token_id=0, cls_token_id=2, sep_token_id=3, eos_token_id=3, bos_token_id=2),
    DebertaV2Config(**SMALL, relative_attention=True, position_buckets=8),
]


def family(config):
    torch.manual_seed(0)
    return Backbone(AutoModel.from_config(config), byte_tokenizer(64), pooling="mean", identity="test")


def grouped(groups, branch_at=0, *, backbone=None, tasks="abc", dropout=0.0):
    torch.manual_seed(0)
    backbone = backbone or tiny_backbone(dropout=dropout)
    sharing = GroupedSharing(backbone, list(tasks), groups=groups, branch_at=branch_at, head_dropout=dropout)
    return MultiTaskModel(sharing, {t: HeadSpec(2) for t in tasks}, 0)


def hard(tasks="abc", dropout=0.0):
    torch.manual_seed(0)
    sharing = HardSharing(tiny_backbone(dropout=dropout), list(tasks), head_dropout=dropout)
    return MultiTaskModel(sharing, {t: HeadSpec(2) for t in tasks}, 0)


def batch(model, tasks="abc"):
    backbone = model.sharing.backbone
    return one_step({t: encoded(backbone, TEXTS[t], [0.0] * len(TEXTS[t])) for t in tasks}).passes[0]


def backward(model, tasks="abc", losses="abc"):
    outputs = model(batch(model, tasks))
    sum(o.out.values.square().sum() for o in outputs if o.task in losses).backward()
    return outputs


def gradients(backbone):
    return [p.grad for p in backbone.parameters() if p.requires_grad]


def ids(parameters):
    return [id(p) for p in parameters]


def faults(groups, branch_at=0, **more):
    with pytest.raises(ConfigError) as caught:
        grouped(groups, branch_at, **more)
    return str(caught.value)


@pytest.mark.parametrize("groups", [[["a", "b", "c"]], [["a", "c"], ["b"]], [["a"], ["b"], ["c"]]])
@pytest.mark.parametrize("branch_at", [0, 1])
def test_shared_and_task_parameters_partition_what_is_trained(groups, branch_at):
    model = grouped(groups, branch_at)
    pieces = [ids(model.sharing.shared_parameters()), *(ids(model.task_parameters(t)) for t in "abc")]
    assert sorted(i for piece in pieces for i in piece) == sorted(id(p) for _, p in model.trained())


def test_a_branch_of_several_tasks_is_shared_and_that_of_one_is_its_own():
    model = grouped([["a", "c"], ["b"]], branch_at=1)
    names = {id(p): n for n, p in model.named_parameters()}
    shared = [names[i] for i in ids(model.sharing.shared_parameters())]
    own = [names[i] for i in ids(model.sharing.task_parameters("b"))]
    assert all(n.startswith("sharing.branches.0.") for n in shared)
    assert {model.depth(n) for n in shared} == {0, 1, 2}
    assert all(n.startswith("sharing.branches.1.") for n in own)
    assert {model.depth(n) for n in own} == {2}
    assert list(model.sharing.task_parameters("a")) == []


def test_the_gradient_of_a_task_reaches_its_group_s_encoder_and_no_other_branch():
    model = grouped([["a", "c"], ["b"]], branch_at=1)
    backward(model, losses="a")
    mine = set(ids(model.sharing.parameters_of("a")))
    assert all(p.grad is not None and p.grad.any() for p in model.sharing.parameters() if id(p) in mine)
    others = [p for _, p in model.trained() if id(p) not in {*mine, *ids(model.head("a").parameters())}]
    assert others
    assert all(p.grad is None or not p.grad.any() for p in others)


def test_a_task_that_is_not_in_the_batch_leaves_its_branch_without_gradients():
    model = grouped([["a", "c"], ["b"]], branch_at=1)
    backward(model, tasks="ac")
    assert all(p.grad is None for p in model.task_parameters("b"))


def test_one_group_of_all_tasks_is_hard_sharing_bit_for_bit():
    one, other = grouped([["a", "b", "c"]], dropout=0.1), hard(dropout=0.1)
    optimizers = [torch.optim.AdamW(p for _, p in model.trained()) for model in (one, other)]
    for model, optimizer in zip((one, other), optimizers, strict=True):
        model.train()
        torch.manual_seed(1)
        for _ in range(3):
            backward(model)
            optimizer.step()
            optimizer.zero_grad()
    assert all(torch.equal(p, q) for (_, p), (_, q) in zip(one.trained(), other.trained(), strict=True))
    assert len(list(one.sharing.shared_parameters())) == len(list(other.sharing.shared_parameters()))


def test_a_whole_encoder_for_each_task_is_as_many_models():
    together = grouped([["a"], ["b"], ["c"]])
    outputs = backward(together)
    for task, output, branch in zip("abc", outputs, together.sharing.backbones, strict=True):
        alone = grouped([[task]], tasks=task)
        (expected,) = backward(alone, tasks=task)
        # The batch pads "a" to the length of "b"; a group's rows are cut to their own longest before they run.
        assert torch.equal(output.out.values, expected.out.values)
        found = zip(gradients(branch), gradients(alone.sharing.backbone), strict=True)
        assert all(torch.equal(one, other) for one, other in found)
    assert list(together.sharing.shared_parameters()) == []


def test_layers_below_the_branches_have_the_sum_of_all_gradients():
    model, plain = grouped([["a", "c"], ["b"]], branch_at=1), hard()
    backward(model)
    backward(plain)
    expected = dict(plain.sharing.backbone.named_parameters())
    for name, p in model.sharing.backbone.named_parameters():
        if p.requires_grad and model.depth(f"sharing.branches.0.{name}") <= 1:
            torch.testing.assert_close(p.grad, expected[name].grad, atol=1e-6, rtol=1e-4)


def test_features_stand_in_the_batch_s_order_also_if_a_group_s_rows_lie_apart():
    model, plain = grouped([["a", "c"], ["b"]], branch_at=1), hard()
    one = batch(model)
    found, expected = model.sharing.features(one), plain.sharing.features(one)
    torch.testing.assert_close(found.pooled_BD, expected.pooled_BD, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.hidden_TD, expected.hidden_TD, atol=1e-5, rtol=0)


def test_each_group_runs_its_own_rows_alone():
    model = grouped([["a", "c"], ["b"]])
    one = batch(model)
    assert all(
        branch.flat for branch in model.sharing.backbones
    )  # asked before, since the answer takes forward passes too
    seen = []
    for branch in model.sharing.backbones:
        branch.encoder.register_forward_pre_hook(
            lambda module, args, given: seen.append(given["input_ids"].shape), with_kwargs=True
        )
    model.sharing.features(one)
    lengths = one.inputs.lengths_B
    assert seen == [(1, lengths[[0, 1, 4, 5]].sum()), (1, lengths[[2, 3]].sum())]


def test_after_a_step_the_groups_differ_above_the_branch_and_only_there():
    model = grouped([["a", "c"], ["b"]], branch_at=1)
    first, second = (branch.encoder for branch in model.sharing.backbones)
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), second.parameters(), strict=True))
    backward(model)
    torch.optim.SGD([p for _, p in model.trained()], lr=0.1).step()
    other = dict(second.named_parameters())
    changed = {model.sharing.backbone.depth_of(n) for n, p in first.named_parameters() if not torch.equal(p, other[n])}
    assert changed == {2}


def test_below_the_branches_modules_are_the_very_same_and_there_is_one_table():
    model = grouped([["a"], ["b"], ["c"]], branch_at=1)
    first, *others = (branch.encoder for branch in model.sharing.backbones)
    for other in others:
        assert other.embeddings is first.embeddings
        assert other.encoder.layer[0] is first.encoder.layer[0]
        assert other.encoder.layer[1] is not first.encoder.layer[1]
        assert other.config is first.config
    assert sum(isinstance(module, RowGradEmbedding) for module in model.modules()) == 1


def test_a_whole_encoder_a_group_has_a_table_a_group():
    model = grouped([["a"], ["b"], ["c"]])
    assert sum(isinstance(module, RowGradEmbedding) for module in model.modules()) == 3


@pytest.mark.parametrize("config", FAMILIES, ids=lambda c: c.model_type)
@pytest.mark.parametrize("branch_at", [0, 1, 2])
def test_encoders_of_every_family_are_split(config, branch_at):
    model = grouped([["a", "c"], ["b"]], branch_at, backbone=family(config))
    plain = family(config).eval()
    model.eval()
    one = batch(model)
    expected_BD = plain.pool(plain(one.inputs), one.inputs)
    torch.testing.assert_close(model.sharing.features(one).pooled_BD, expected_BD, atol=1e-5, rtol=0)
    first, second = (dict(b.encoder.named_parameters()) for b in model.sharing.backbones)
    common = {model.sharing.backbone.depth_of(n) for n, p in first.items() if p.requires_grad and p is second[n]}
    apart = {model.sharing.backbone.depth_of(n) for n, p in first.items() if p is not second[n]}
    assert common == (set(range(branch_at + 1)) if branch_at else set())
    assert apart == set(range(4)) - common


def test_the_folder_and_the_state_beyond_it_are_the_whole_model(tmp_path):
    from safetensors.torch import load_file, save_file

    model = grouped([["a", "c"], ["b"]], branch_at=1)
    with torch.no_grad():
        for _, p in model.trained():
            p.add_(torch.randn_like(p))
    model.sharing.backbone.save(tmp_path)
    save_file(model.state_beyond_encoder(), tmp_path / "beyond.safetensors")
    other = grouped([["a", "c"], ["b"]], branch_at=1)
    other.sharing.backbone.encoder.load_state_dict(AutoModel.from_pretrained(tmp_path).state_dict())
    other.load_state_dict(load_file(tmp_path / "beyond.safetensors"), strict=False)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


def test_no_tensor_is_written_twice():
    model = grouped([["a", "c"], ["b"]], branch_at=1)
    names = model.state_beyond_encoder()
    branch = [n for n in names if n.startswith("sharing.")]
    assert branch
    assert all(n.startswith("sharing.branches.1.encoder.encoder.layer.1.") for n in branch)
    assert [n for n in names if n not in branch] == [
        f"heads.task_{t}.linear.{p}" for t in "abc" for p in ("weight", "bias")
    ]


def test_a_copy_of_the_model_keeps_what_is_shared_shared():
    model = copy.deepcopy(grouped([["a", "c"], ["b"]], branch_at=1))
    first, second = (branch.encoder for branch in model.sharing.backbones)
    assert second.embeddings is first.embeddings
    assert len(list(model.sharing.task_parameters("b"))) == 16


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([["a", "b"]], r"sharing.groups: each task belongs to one group, and 'c' to none"),
        ([["a", "b"], ["c", "b"]], "task 'b' is listed 2 times; a task belongs to one group"),
        ([["a", "b"], ["c"], []], "a group is empty"),
        ([], "each task belongs to one group, and 'a', 'b', 'c' to none"),
    ],
)
def test_groups_that_are_no_partition_are_refused(groups, words):
    assert words in faults(groups)


def test_a_misspelt_task_is_guessed_and_every_fault_is_told():
    tasks = ["rte", "mnli", "stsb"]
    found = faults([["rte", "mnlli"], ["rte"]], branch_at=2, tasks=tasks)
    assert "sharing.groups: no task is called 'mnlli'. Did you mean 'mnli'?" in found
    assert "task 'rte' is listed 2 times" in found
    assert "and 'mnli', 'stsb' to none" in found
    assert (
        "sharing.branch_at: the encoder has 2 layers of its own weights, so branches start at 0 to 1; found 2" in found
    )


@pytest.mark.parametrize("branch_at", [-1, 2, 9])
def test_a_branch_that_starts_outside_the_encoder_is_refused(branch_at):
    assert f"found {branch_at}. To share all layers: sharing=hard" in faults([["a", "b"], ["c"]], branch_at)


def test_an_encoder_whose_layers_have_the_same_weights_is_copied_whole_or_not_at_all():
    config = AlbertConfig(**SMALL, embedding_size=8)
    assert "the encoder has 1 layers of its own weights, so branches start at 0 to 0" in faults(
        [["a", "b"], ["c"]], 1, backbone=family(config)
    )
    assert len(grouped([["a", "b"], ["c"]], 0, backbone=family(config)).sharing.backbones) == 2


def test_weights_used_below_and_above_the_branch_are_refused():
    backbone = tiny_backbone()
    backbone.encoder.encoder.layer[1].output = backbone.encoder.encoder.layer[0].output
    assert "uses the same weights below and above layer 1" in faults([["a", "b"], ["c"]], 1, backbone=backbone)


def test_an_encoder_with_two_lists_of_layers_is_not_split():
    config = BartConfig(
        vocab_size=300, d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=90,
    )  # fmt: skip
    found = faults([["a", "b"], ["c"]], 1, backbone=family(config))
    assert "several lists of layers (decoder.layers, encoder.layers)" in found


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_a_dropout_outside_the_unit_interval_is_refused(dropout):
    with pytest.raises(ValueError, match=r"head_dropout must lie in \[0, 1\)"):
        GroupedSharing(tiny_backbone(), ["a"], groups=[["a"]], branch_at=0, head_dropout=dropout)
