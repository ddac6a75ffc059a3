"""Packed rows through an encoder. Legend: B rows, L tokens, S hypotheses, D width."""

import dataclasses
import math

import pytest
import torch
from torch.nn.functional import layer_norm
from transformers import (
    AlbertConfig,
    AutoModel,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    RobertaConfig,
    RoFormerConfig,
)

from mtl_cli.data.batch import Batch
from mtl_cli.errors import ConfigError
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.backbone.packed import hypothesis_or_row, pooled_each, visible
from mtl_cli.model.backbone.probe import check_packed
from mtl_cli.model.backbone.tiny import byte_tokenizer
from tests.fakes import tiny_backbone

TEXT, FIRST, SECOND = [2, 10, 11, 12, 13, 3], [20, 21, 22, 3], [30, 3]
SMALL = {
    "vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 40,
}  # fmt: skip
SPECIAL = ("pad_token_id", "cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id")
TAKEN = [
    BertConfig(**SMALL),
    RobertaConfig(**SMALL, pad_token_id=1, type_vocab_size=1),
    ElectraConfig(**SMALL, embedding_size=8),
    AlbertConfig(**SMALL, embedding_size=8),
    DistilBertConfig(vocab_size=300, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=40),
]
NOT_TAKEN = [
    (DebertaV2Config(**SMALL, relative_attention=True, position_buckets=8), "does not take a mask of four axes"),
    (MPNetConfig(**SMALL), "see what else stands in its row"),
    (RoFormerConfig(**SMALL), "takes no positions"),
    (ModernBertConfig(**SMALL | {"max_position_embeddings": 400}, **dict.fromkeys(SPECIAL, 2)), "see what else stands in its row"),
]  # fmt: skip


def of(config, max_length=256):
    torch.manual_seed(0)
    encoder = AutoModel.from_config(config)
    with torch.no_grad():
        for p in encoder.parameters():
            if p.dim() == 2:
                p.mul_(8.0)
    return Backbone(encoder, byte_tokenizer(max_length), pooling="mean", identity="test").eval()


def row(*hypotheses, text=TEXT, pad=0, types=False):
    """One row with these hypotheses, some padding behind it."""
    ids = [*text, *(i for one in hypotheses for i in one), *[0] * pad]
    segments = [0] * len(text) + [k for k, one in enumerate(hypotheses, 1) for _ in one] + [0] * pad
    positions = [*range(len(text)), *(len(text) + i for one in hypotheses for i in range(len(one))), *[0] * pad]
    mask = torch.tensor([[1] * (len(ids) - pad) + [0] * pad]) if pad else None
    types_BL = torch.tensor([[int(s > 0) for s in segments]]) if types else None
    return Batch(torch.tensor([ids]), mask, types_BL, (), torch.tensor([segments]), torch.tensor([positions]))


def test_who_sees_whom():
    lowest = torch.finfo(torch.float32).min
    scores = visible(torch.tensor([[0, 0, 1, 2, 0]]), torch.tensor([[1, 1, 1, 1, 0]]), torch.float32)
    assert scores.shape == (1, 1, 5, 5)
    seen = [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [1, 1, 0, 0, 0]]
    assert torch.equal(scores[0, 0], torch.where(torch.tensor(seen) == 1, 0.0, lowest))


def states_by_hand(backbone, text, hypothesis):
    """A hypothesis in two steps: the text's states of all layers first, then the hypothesis beside their keys and values."""
    bert = backbone.encoder
    alone = bert(torch.tensor([text]), output_hidden_states=True).hidden_states
    e = bert.embeddings
    at = torch.arange(len(text), len(text) + len(hypothesis))
    x_LD = e.word_embeddings.weight[hypothesis] + e.position_embeddings.weight[at] + e.token_type_embeddings.weight[1]
    x_LD = e.LayerNorm(x_LD)
    heads = bert.config.num_attention_heads
    for layer, text_1LD in zip(bert.encoder.layer, alone, strict=False):
        own, both_LD = layer.attention.self, torch.cat([text_1LD[0], x_LD])
        q, k, v = (
            part.view(len(part), heads, -1).transpose(0, 1)
            for part in (own.query(x_LD), own.key(both_LD), own.value(both_LD))
        )
        mixed = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1) @ v
        out = layer.attention.output
        x_LD = out.LayerNorm(out.dense(mixed.transpose(0, 1).flatten(1)) + x_LD)
        inner = torch.nn.functional.gelu(layer.intermediate.dense(x_LD))
        norm = layer.output.LayerNorm
        x_LD = layer_norm(layer.output.dense(inner) + x_LD, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
    return alone[-1][0], x_LD


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("pad", [0, 3])
def test_the_text_is_as_if_alone_and_each_hypothesis_as_computed_by_hand_beside_the_text(attention, pad):
    backbone = tiny_backbone().eval()
    backbone.encoder.set_attn_implementation(attention)
    with torch.no_grad():
        found_LD = backbone(row(FIRST, SECOND, pad=pad, types=True))[0]
        for hypothesis, begin in ((FIRST, len(TEXT)), (SECOND, len(TEXT) + len(FIRST))):
            text_LD, own_LD = states_by_hand(backbone, TEXT, hypothesis)
            torch.testing.assert_close(found_LD[: len(TEXT)], text_LD, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(found_LD[begin : begin + len(hypothesis)], own_LD, atol=1e-5, rtol=1e-5)
    joint = backbone(dataclasses.replace(row(FIRST, types=True), segments_BL=None, positions_BL=None))[0]
    assert (joint[: len(TEXT)] - text_LD).abs().max() > 0.01  # a joint text sees its hypothesis


@pytest.mark.parametrize("config", TAKEN, ids=lambda c: c.model_type)
def test_an_encoder_that_takes_mask_and_positions_gives_hypotheses_the_same_states_in_any_row(config):
    backbone = of(config)
    check_packed(backbone, "tasks.nli.layout")
    # More tokens than positions: they begin again with each hypothesis.
    with torch.no_grad():
        many_LD = backbone(row(*[FIRST, SECOND] * 9))[0]
        one_LD = backbone(dataclasses.replace(row(SECOND), positions_BL=None))[0]
    torch.testing.assert_close(many_LD[-len(SECOND) :], one_LD[-len(SECOND) :], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("config", "problem"), NOT_TAKEN, ids=lambda c: getattr(c, "model_type", ""))
def test_an_encoder_that_cannot_is_refused_with_its_name_and_what_can(config, problem):
    backbone = of(config)
    backbone.train()
    state = torch.get_rng_state()
    with pytest.raises(
        ConfigError, match=rf"tasks\.nli\.layout: .*{type(backbone.encoder).__name__} \(test\).*{problem}.*BERT, MiniLM"
    ):
        check_packed(backbone, "tasks.nli.layout")
    assert backbone.training
    assert torch.equal(torch.get_rng_state(), state)


HIDDEN_BLD = torch.tensor([[[1.0, -2.0], [3.0, -4.0], [5.0, 9.0], [7.0, 1.0]]]).repeat(2, 1, 1)
SEGMENTS_BL = torch.tensor([[0, 1, 1, 2], [0, 0, 1, 0]])


@pytest.mark.parametrize(
    ("pooling", "first", "second", "other"),
    [
        ("cls", [3.0, -4.0], [7.0, 1.0], [5.0, 9.0]),
        ("mean", [4.0, 2.5], [7.0, 1.0], [5.0, 9.0]),
        ("max", [5.0, 9.0], [7.0, 1.0], [5.0, 9.0]),
    ],
)
def test_each_hypothesis_is_pooled_over_its_own_tokens(pooling, first, second, other):
    found_BSD = pooled_each(HIDDEN_BLD, SEGMENTS_BL, pooling)
    assert found_BSD[0].tolist() == [first, second]
    assert found_BSD[1, 0].tolist() == other
    assert found_BSD.isfinite().all()


@pytest.mark.parametrize(
    ("pooling", "packed", "joint"),
    [("cls", [3.0, -4.0], [1.0, -2.0]), ("mean", [4.0, 2.5], [2.0, -3.0]), ("max", [5.0, 9.0], [3.0, -2.0])],
)
def test_a_packed_row_is_pooled_over_its_hypothesis_and_a_joint_one_beside_it_over_all_its_tokens(
    pooling, packed, joint
):
    backbone = tiny_backbone(pooling=pooling)
    segments_BL, mask_BL = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0]]), torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
    assert hypothesis_or_row(segments_BL, mask_BL).tolist() == [[0, 1, 1, 0], [1, 1, 0, 0]]
    assert backbone.pool(HIDDEN_BLD, mask_BL, segments_BL).tolist() == [packed, joint]
    assert backbone.pool(HIDDEN_BLD[1:], mask_BL[1:], segments_BL[1:]).tolist() == [joint]
