"""A random small encoder over bytes, for tests: any text, no download."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from mtl_cli.model.backbone.base import Backbone, Pooling

_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def byte_tokenizer(max_length: int) -> PreTrainedTokenizerFast:
    """One token a UTF-8 byte, with BERT's special tokens around."""
    tokens = [*_SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    ids = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, model_max_length=max_length, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


def tiny(*, layers: int, width: int, heads: int, max_length: int, dropout: float, pooling: Pooling) -> Backbone:
    """A BERT with random weights from torch's generator.

    Args:
        layers: number of layers.
        width: D, a multiple of `heads`.
        heads: attention heads.
        max_length: longest input in bytes, with three special tokens.
        dropout: of states and attention.
        pooling: see `Backbone`.
    """
    if width % heads:
        raise ValueError(f"width must be a multiple of heads; found {width} and {heads}")
    tokenizer = byte_tokenizer(max_length)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * width,
        max_position_embeddings=max_length, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
    )  # fmt: skip
    encoder = BertModel(config)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if name.endswith("weight") and parameter.dim() == 2:
                parameter.mul_(
                    5.0
                )  # BERT's 0.02 is meant for wide models: at width 32 nothing would be learnt in a test
    return Backbone(encoder, tokenizer, pooling=pooling, identity=f"random, {layers} layers of width {width}")
