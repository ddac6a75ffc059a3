"""Attention over rows end to end: who can, and that it is what each row has alone."""

import itertools

import numpy as np
import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModel,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    LlamaConfig,
    MistralConfig,
    ModernBertConfig,
    MPNetConfig,
    Qwen2Config,
    RobertaConfig,
    RoFormerConfig,
    XLMRobertaConfig,
)

from mtl_cli.data.text import TextInputs
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.backbone.flat import NAME, takes_flat
from mtl_cli.model.backbone.tiny import byte_tokenizer
from tests.fakes import tiny_backbone

SMALL = {
    "vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 60,
}  # fmt: skip
LONG = SMALL | {"max_position_embeddings": 400}
SPECIAL = dict.fromkeys(("pad_token_id", "cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id"), 2)
TAKE = [
    BertConfig(**SMALL),
    RobertaConfig(**SMALL, pad_token_id=1, type_vocab_size=1),
    XLMRobertaConfig(**SMALL, pad_token_id=1, type_vocab_size=1),
    ElectraConfig(**SMALL, embedding_size=8),
    AlbertConfig(**SMALL, embedding_size=8),
    DistilBertConfig(vocab_size=300, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=60),
    ModernBertConfig(**LONG, **SPECIAL, local_attention=16),
    LlamaConfig(**LONG, num_key_value_heads=1),
    Qwen2Config(**LONG, num_key_value_heads=1),
    MistralConfig(**LONG, num_key_value_heads=1, sliding_window=16),
]
PADDED = [
    DebertaV2Config(**SMALL, relative_attention=True, position_buckets=8), MPNetConfig(**SMALL), RoFormerConfig(**SMALL),
]  # fmt: skip
LENGTHS = (5, 40, 1, 7, 7, 33, 12)


def encoder_of(config):
    torch.manual_seed(0)
    encoder = AutoModel.from_config(config)
    with torch.no_grad():
        for p in encoder.parameters():
            if p.dim() == 2:
                p.mul_(4.0)
    return encoder


def of(config):
    return Backbone(encoder_of(config), byte_tokenizer(256), pooling="mean", identity="test")


def rows(lengths=LENGTHS):
    generator = np.random.default_rng(0)
    return [generator.integers(5, 260, n) for n in lengths]


@pytest.mark.parametrize("config", TAKE, ids=lambda c: c.model_type)
def test_states_and_gradients_are_those_of_each_row_alone(config):
    backbone, plain = of(config).eval(), encoder_of(config).eval()
    assert backbone.flat
    weight_TD = torch.randn(sum(LENGTHS), 16, generator=torch.Generator().manual_seed(1))
    found_TD = backbone(TextInputs.of(rows()))
    alone_TD = torch.cat([plain(torch.from_numpy(row)[None]).last_hidden_state[0] for row in rows()])
    torch.testing.assert_close(found_TD, alone_TD, atol=2e-5, rtol=1e-4)
    for states_TD in (found_TD, alone_TD):
        (states_TD * weight_TD).sum().backward()
    expected = {name: p.grad for name, p in plain.named_parameters() if p.grad is not None}
    largest = max(float(grad.abs().max()) for grad in expected.values())
    for name, p in backbone.encoder.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(p.grad, expected[name], atol=1e-5 * largest, rtol=1e-3)


@pytest.mark.parametrize("config", PADDED, ids=lambda c: c.model_type)
def test_an_encoder_that_cannot_is_left_as_it_was_and_padded(config):
    backbone, plain = of(config).eval(), encoder_of(config).eval()
    before = backbone.encoder.config._attn_implementation
    assert not backbone.flat
    assert backbone.encoder.config._attn_implementation == before
    found_TD = backbone(TextInputs.of(rows()))
    alone_TD = torch.cat([plain(torch.from_numpy(row)[None]).last_hidden_state[0] for row in rows()])
    torch.testing.assert_close(found_TD, alone_TD, atol=2e-5, rtol=1e-4)


def test_the_probe_leaves_mode_and_random_numbers_alone():
    encoder = encoder_of(BertConfig(**SMALL)).train()
    state = torch.get_rng_state()
    assert takes_flat(encoder)
    assert encoder.training
    assert torch.equal(torch.get_rng_state(), state)
    assert encoder.config._attn_implementation == NAME


def test_more_tokens_than_positions_are_no_trouble():
    backbone = of(BertConfig(**SMALL)).eval()
    many = backbone(TextInputs.of(rows((9,) * 50)))
    assert len(many) == 450


def test_the_padded_form_of_the_same_encoder_is_what_it_was():
    backbone, plain = of(BertConfig(**SMALL)).eval(), encoder_of(BertConfig(**SMALL)).eval()
    assert backbone.flat
    padded = TextInputs.of(rows()).padded(0)
    found, expected = (
        one(input_ids=padded.ids_BL, attention_mask=padded.mask_BL).last_hidden_state
        for one in (backbone.encoder, plain)
    )
    torch.testing.assert_close(found, expected)


def test_dropout_is_repeated_by_the_seed():
    backbone = tiny_backbone(dropout=0.4).train()
    inputs = TextInputs.of(rows((6, 9, 9)))
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(backbone(inputs))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def attention(query, key, value, scale_LL):
    weights = (query @ key.mT * query.shape[-1] ** -0.5).softmax(-1)
    return (weights * scale_LL) @ value


def test_gradients_under_dropout_are_those_of_the_same_weights_written_out(monkeypatch):
    from mtl_cli.model.backbone import flat

    scales = []

    def keep(x, share):
        scales.append((torch.rand(x.shape, generator=torch.Generator().manual_seed(len(scales))) < share) / share)
        return scales[-1]

    monkeypatch.setattr(flat, "keep_scale", keep)
    inputs = TextInputs.of(rows((4, 4, 4)))
    made = [torch.randn(1, 2, 12, 8, generator=torch.Generator().manual_seed(i), requires_grad=True) for i in range(3)]
    out, _ = flat.attend(torch.nn.Identity(), *made, None, dropout=0.5, flat_rows=flat.FlatRows.of(inputs))
    (out * torch.arange(12.0)[None, :, None, None]).sum().backward()
    found = [one.grad.clone() for one in made]
    for one in made:
        one.grad = None
    (scale,) = scales
    scale = scale.view(2, 3, 4, 4)
    for head, row in itertools.product(range(2), range(3)):
        span = slice(4 * row, 4 * row + 4)
        own = attention(*(one[0, head, span] for one in made), scale[head, row])
        torch.testing.assert_close(out[0, span, head], own)
        (own * torch.arange(12.0)[span, None]).sum().backward()
    for one, grad in zip(made, found, strict=True):
        torch.testing.assert_close(grad, one.grad, atol=1e-5, rtol=1e-4)


def test_what_is_not_known_is_refused():
    from mtl_cli.model.backbone import flat

    made = [torch.randn(1, 2, 3, 8) for _ in range(3)]
    with pytest.raises(NotImplementedError):
        flat.attend(
            torch.nn.Identity(), *made, None, softcap=5.0, flat_rows=flat.FlatRows.of(TextInputs.of(rows((3,))))
        )
