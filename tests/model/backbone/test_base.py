import dataclasses

import pytest
import torch
from transformers import (
    AutoModel,
    AutoTokenizer,
    DebertaV2Config,
    ElectraConfig,
    ModernBertConfig,
    RobertaConfig,
)

from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.backbone.tiny import byte_tokenizer
from tests.fakes import encoded, one_step, tiny_backbone

SMALL = {
    "vocab_size": 300,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
FAMILIES = [
    RobertaConfig(**SMALL, max_position_embeddings=40, pad_token_id=1),
    ElectraConfig(**SMALL, embedding_size=8),
    ModernBertConfig(**SMALL, pad_token_id=0, cls_token_id=2, sep_token_id=3, eos_token_id=3, bos_token_id=2),
    DebertaV2Config(**SMALL, relative_attention=True, position_buckets=8),
]


def backbone(config, max_length=64):
    return Backbone(AutoModel.from_config(config), byte_tokenizer(max_length), pooling="mean", identity="test")


def test_facts_about_the_encoder():
    one = tiny_backbone()
    assert (one.width, one.layers, one.max_length, one.pad_id) == (32, 2, 128, 0)
    assert one.vocabulary == len(one.tokenizer)


@pytest.mark.parametrize("config", FAMILIES, ids=lambda c: c.model_type)
def test_every_layer_of_a_family_is_found_and_nothing_lies_outside(config):
    one = backbone(config)
    depths = {name: one.depth_of(name) for name, _ in one.encoder.named_parameters()}
    assert one.layers == 3
    assert set(depths.values()) == {0, 1, 2, 3}
    assert all(depths[n] == 0 for n in depths if "word_embeddings" in n or "tok_embeddings" in n)
    assert all(
        depths[n] == int(n.partition("layer")[2].lstrip("s.").partition(".")[0]) + 1
        for n in depths
        if "layer." in n or "layers." in n
    )


def test_roberta_has_two_positions_less_than_its_table():
    assert backbone(FAMILIES[0]).max_length == 38


def test_the_tokenizers_limit_counts_too():
    assert backbone(FAMILIES[0], max_length=20).max_length == 20


def test_an_encoder_without_positions_and_limit_has_no_longest_input():
    config = FAMILIES[1].__class__(**SMALL, embedding_size=8, max_position_embeddings=0)
    assert backbone(config, max_length=int(1e30)).max_length is None


def test_the_unused_pooler_is_not_trained():
    one = tiny_backbone()
    untrained = {name for name, p in one.named_parameters() if not p.requires_grad}
    assert untrained == {"encoder.pooler.dense.weight", "encoder.pooler.dense.bias"}


def test_types_of_the_second_text_reach_the_encoder():
    one = tiny_backbone().eval()
    batch = one_step({"a": encoded(one, [("ab", "cd")], [0])}).passes[0]
    inputs = batch.inputs
    without = dataclasses.replace(inputs, types_T=torch.zeros_like(inputs.types_T))
    assert inputs.types_T.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert (one(inputs) - one(without)).abs().max() > 0.01


def test_an_encoder_without_types_takes_a_batch_that_has_them():
    one = backbone(FAMILIES[2])
    batch = one_step({"a": encoded(one, [("ab", "cd")], [0])}).passes[0]
    assert one(batch.inputs).shape == (7, 16)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_a_text_has_the_same_vector_alone_and_in_a_batch(pooling):
    one = tiny_backbone(pooling=pooling).eval()
    texts = ["a", "a longer text", "the longest text of the three by far"]
    together = one_step({"a": encoded(one, texts, [0, 0, 0])}).passes[0].inputs
    vectors = one.pool(one(together), together)
    for i, text in enumerate(texts):
        alone = one_step({"a": encoded(one, [text], [0])}).passes[0].inputs
        torch.testing.assert_close(one.pool(one(alone), alone)[0], vectors[i], atol=1e-5, rtol=0)


def test_a_saved_folder_is_what_plain_transformers_loads(tmp_path):
    one = tiny_backbone()
    one.save(tmp_path)
    loaded, tokenizer = AutoModel.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert all(
        torch.equal(a, b) for a, b in zip(one.encoder.state_dict().values(), loaded.state_dict().values(), strict=True)
    )
    assert tokenizer("naïve")["input_ids"] == one.tokenizer("naïve")["input_ids"]
    assert not [p.name for p in tmp_path.iterdir() if p.suffix not in (".json", ".safetensors", ".txt", ".jinja")]
