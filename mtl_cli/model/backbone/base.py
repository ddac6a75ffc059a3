"""A text encoder with its tokenizer. Legend: B rows, T tokens of all rows, S hypotheses of a row, D width."""

from __future__ import annotations

import errno
import inspect
import re
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from mtl_cli.data.text import TextInputs
from mtl_cli.model.backbone.dropout import cheaper_dropout
from mtl_cli.model.backbone.flat import first_position, flat_states, takes_flat
from mtl_cli.model.backbone.packed import visible
from mtl_cli.model.backbone.pooling import Pooling as Pooling
from mtl_cli.model.backbone.pooling import pooled, pooled_each
from mtl_cli.model.backbone.rows import RowGradEmbedding
from mtl_cli.model.quiet import quiet


def longest_input(encoder: nn.Module, tokenizer: PreTrainedTokenizerFast) -> int | None:
    """Longest input in tokens that an encoder takes; None if there is no limit."""
    positions = getattr(encoder.config, "max_position_embeddings", None)
    if positions:
        positions -= first_position(encoder)
    limits = [n for n in (positions, tokenizer.model_max_length) if n and 0 < n < 10**9]
    return min(limits) if limits else None


class Backbone(nn.Module):
    """A Hugging Face encoder, its tokenizer and how its token states become one vector.

    Args:
        encoder: any model whose output has `last_hidden_state`.
        tokenizer: a fast tokenizer with a padding token.
        pooling: `cls` takes the first token, `mean` and `max` go over the tokens that are not padding.
        identity: where it came from, for the run's record.
    """

    def __init__(
        self, encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, pooling: Pooling, identity: str
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.identity = identity
        self._flat: bool | None = None
        self._takes_types = "token_type_ids" in inspect.signature(encoder.forward).parameters
        table = encoder.get_input_embeddings()
        # A table of another class does more than look up rows, such as scaling them.
        if type(table) is nn.Embedding and not table.sparse and table.max_norm is None:
            encoder.set_input_embeddings(RowGradEmbedding.of(table))
        cheaper_dropout(encoder)
        pooler = getattr(encoder, "pooler", None)
        if isinstance(pooler, nn.Module):
            # Not on the way from the input to our heads; without this it would wait for gradients that never come.
            pooler.requires_grad_(False)

    def train(self, mode: bool = True) -> Backbone:
        """Switch dropout, and of an encoder that needs padding on a CPU the attention: with dropout, written-out attention is faster
        there than the fused one."""
        super().train(mode)
        dropout = getattr(self.encoder.config, "attention_probs_dropout_prob", 0.0)
        if dropout and not self.flat and self.encoder.device.type == "cpu" and self.encoder._supports_sdpa:
            self.encoder.set_attn_implementation("eager" if mode else "sdpa")
        return self

    @property
    def flat(self) -> bool:
        """Whether the encoder takes rows end to end, without padding: on a CPU, where a probe shows it gives the same states."""
        # Compiled code would be made anew for every layout of rows; what it takes to gain on a GPU is not known.
        if self.encoder.device.type != "cpu" or self.encoder._compiled_call_impl is not None:
            return False
        if self._flat is None:
            self._flat = takes_flat(self.encoder)
        return self._flat

    @property
    def width(self) -> int:
        """D."""
        return int(self.encoder.config.hidden_size)

    @property
    def table(self) -> Tensor:
        """Embeddings of the tokens, [V, E]."""
        return cast(nn.Embedding, self.encoder.get_input_embeddings()).weight

    @property
    def vocabulary(self) -> int:
        """Rows of the embedding table: token ids must be smaller."""
        return cast(nn.Embedding, self.encoder.get_input_embeddings()).num_embeddings

    @property
    def max_length(self) -> int | None:
        """Longest input in tokens; None if there is no limit."""
        return longest_input(self.encoder, self.tokenizer)

    @property
    def pad_id(self) -> int:
        """Token id of padding."""
        return int(self.tokenizer.pad_token_id or 0)

    def forward(self, inputs: TextInputs) -> Tensor:
        """Token states of rows end to end, shape [T, D]."""
        if self.flat:
            return flat_states(self.encoder, inputs)
        padded = inputs.padded(self.pad_id)
        named: dict[str, Tensor | None] = {"input_ids": padded.ids_BL, "attention_mask": padded.mask_BL}
        if self._takes_types and padded.types_BL is not None:
            named["token_type_ids"] = padded.types_BL
        if padded.segments_BL is not None:
            named["attention_mask"] = visible(padded.segments_BL, padded.mask_BL, self.encoder.dtype)
        if padded.positions_BL is not None:
            named["position_ids"] = padded.positions_BL + first_position(self.encoder)
            if self._takes_types and padded.types_BL is None:
                # Encoders keep zeros of their own for as many tokens as they have positions; a packed row may have more.
                named["token_type_ids"] = torch.zeros_like(padded.ids_BL)
        hidden_BLD: Tensor = self.encoder(**named).last_hidden_state
        return hidden_BLD.flatten(0, 1).index_select(0, padded.places_T)

    def pool(self, hidden_TD: Tensor, inputs: TextInputs) -> Tensor:
        """One vector a row, shape [B, D]; of a packed row it is over the hypothesis, whose first token is its `cls`."""
        return pooled(hidden_TD, inputs, self.pooling)

    def pool_each(self, hidden_TD: Tensor, inputs: TextInputs) -> Tensor:
        """One vector a hypothesis of packed rows, shape [B, S, D]; nothing is promised of a hypothesis that a row does not have."""
        return pooled_each(hidden_TD, inputs, self.pooling)

    def depth_of(self, name: str) -> int:
        """Layer of a parameter of the encoder: 0 is the embeddings, then 1 .. layers; what is above counts as the top."""
        match = re.search(r"\.(\d+)\.", f".{name}")
        if match:
            return int(match.group(1)) + 1
        return 0 if "embed" in name else self.layers

    @property
    def layers(self) -> int:
        """Number of layers."""
        found = (re.search(r"\.(\d+)\.", f".{name}") for name, _ in self.encoder.named_parameters())
        return max((int(m.group(1)) + 1 for m in found if m), default=0)

    def save(self, folder: Path) -> None:
        """Write a folder that `AutoModel.from_pretrained` and `AutoTokenizer.from_pretrained` load."""
        with quiet():
            self.encoder.save_pretrained(folder)
            try:
                self.tokenizer.save_pretrained(folder)
            except Exception as error:
                # The tokenizer library has no exception of its own for a full disk: its words alone tell.
                if "os error" not in str(error):
                    raise
                raise OSError(errno.ENOSPC if "os error 28" in str(error) else errno.EIO, str(error)) from error
