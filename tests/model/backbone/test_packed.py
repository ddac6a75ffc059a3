"""Packed rows through an encoder. Legend: L tokens of a row, D width."""

import dataclasses
import math

import numpy as np
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

from mtl_cli.data.text import TextInputs
from mtl_cli.errors import ConfigError
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.backbone.packed import visible
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


def row(*hypotheses, text=TEXT, beside=0, types=False):
    """One row with these hypotheses, and beside it a longer one."""
    ids = [*text, *(i for one in hypotheses for i in one)]
    segments = [0] * len(text) + [k for k, one in enumerate(hypotheses, 1) for _ in one]
    positions = [*range(len(text)), *(len(text) + i for one in hypotheses for i in range(len(one)))]
    first, *others = (
        [np.array(ids)],
        [(np.array(segments) > 0).astype(int)],
        [np.array(segments)],
        [np.array(positions)],
    )
    if beside:  # a longer row behind it, so that it is padded where rows are put side by side
        first, others = (
            [*first, np.full(len(ids) + beside, 9)],
            [[*one, np.zeros(len(ids) + beside, int)] for one in others],
        )
        others[-1][-1] = np.arange(len(ids) + beside)
    return TextInputs.of(first, others[0] if types else None, *others[1:])


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


@pytest.mark.parametrize("attention", ["sdpa", "eager", "flat"])
@pytest.mark.parametrize("beside", [0, 3])
def test_the_text_is_as_if_alone_and_each_hypothesis_as_computed_by_hand_beside_the_text(attention, beside):
    backbone = tiny_backbone().eval()
    if attention != "flat":
        backbone._flat = False
        backbone.encoder.set_attn_implementation(attention)
    with torch.no_grad():
        found_LD = backbone(row(FIRST, SECOND, beside=beside, types=True))
        for hypothesis, begin in ((FIRST, len(TEXT)), (SECOND, len(TEXT) + len(FIRST))):
            text_LD, own_LD = states_by_hand(backbone, TEXT, hypothesis)
            torch.testing.assert_close(found_LD[: len(TEXT)], text_LD, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(found_LD[begin : begin + len(hypothesis)], own_LD, atol=1e-5, rtol=1e-5)
    joint = backbone(dataclasses.replace(row(FIRST, types=True), segments_T=None, positions_T=None))
    assert (joint[: len(TEXT)] - text_LD).abs().max() > 0.01  # a joint text sees its hypothesis


@pytest.mark.parametrize("config", TAKEN, ids=lambda c: c.model_type)
def test_an_encoder_that_takes_mask_and_positions_gives_hypotheses_the_same_states_in_any_row(config):
    backbone = of(config)
    check_packed(backbone, "tasks.nli.layout")
    # More tokens than positions: they begin again with each hypothesis.
    with torch.no_grad():
        many_LD = backbone(row(*[FIRST, SECOND] * 9))
        one_LD = backbone(dataclasses.replace(row(SECOND), positions_T=None))
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
