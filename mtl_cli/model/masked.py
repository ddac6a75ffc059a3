"""Masked language models of others: a folder, or the hub. Legend: B rows, L tokens, K masks a row, D width, V vocabulary."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerFast

from mtl_cli.data.text import TextInputs
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.backbone.base import longest_input
from mtl_cli.model.loading import load

_CLOSE = 1e-3
"""How far logits of a head that saw some positions alone may be from those of the whole; far above rounding."""


@dataclass(frozen=True)
class MaskedModel:
    """A Hugging Face masked language model with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    limit: int | None
    """Longest input in tokens; None if there is no limit."""
    cuts: bool
    """Whether the head can be given the states of some positions alone."""
    identity: str
    """Where it came from, for records."""

    def logits(self, inputs: TextInputs, places_BK: Tensor) -> Tensor:
        """Logits over the vocabulary at some positions of each row, shape [B, K, V]; the rest is not projected where `cuts`."""
        if self.cuts:
            return _cut_logits(self.model, inputs, self.pad_id, places_BK)
        return _at(_logits(self.model, inputs, self.pad_id), places_BK)

    @property
    def pad_id(self) -> int:
        """Token id of padding."""
        return int(self.tokenizer.pad_token_id or 0)


def load_masked(path: str, key: str) -> MaskedModel:
    """Load a masked language model, in evaluation mode.

    Args:
        path: a folder, or an id on the hub.
        key: of the config, for messages.

    Raises:
        ConfigError: there is none, it has no trained head, no mask token or no fast tokenizer.
    """
    found = load(path, key, AutoModelForMaskedLM)
    model, tokenizer = found.model, found.tokenizer
    if found.missing:
        lacking = ", ".join(found.missing[:3])
        problem = f"'{path}' has no trained head for masks: its weights lack {lacking}. Is it an encoder alone?"
        raise ConfigError([Fault(key, problem)])
    for name, what in (("mask", "mask token, so it fills no gaps"), ("pad", "padding token")):
        if getattr(tokenizer, f"{name}_token_id") is None:
            raise ConfigError([Fault(key, f"the tokenizer of '{path}' has no {what}")])
    model.eval()
    limit = longest_input(model.base_model, tokenizer)
    return MaskedModel(model, tokenizer, limit, _can_cut(model, tokenizer), found.identity)


def _logits(model: PreTrainedModel, inputs: TextInputs, pad_id: int) -> Tensor:
    padded = inputs.padded(pad_id)
    return model(input_ids=padded.ids_BL, attention_mask=padded.mask_BL).logits


def _at(states_BLX: Tensor, places_BK: Tensor) -> Tensor:
    return states_BLX.gather(1, places_BK.unsqueeze(-1).expand(-1, -1, states_BLX.shape[-1]))


def _cut_logits(model: PreTrainedModel, inputs: TextInputs, pad_id: int, places_BK: Tensor) -> Tensor:
    """The head's logits when it is handed the states at these positions alone.

    Every model of the library calls its encoder and puts the head on what comes back: what it comes back with is cut here.
    """

    def cut(_: nn.Module, __: Any, output: Any) -> Any:
        shorter = copy.copy(output)
        shorter["last_hidden_state"] = _at(output.last_hidden_state, places_BK)
        return shorter

    handle = model.base_model.register_forward_hook(cut)
    try:
        return _logits(model, inputs, pad_id)
    finally:
        handle.remove()


@torch.inference_mode()
def _can_cut(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether the cut logits are the whole ones, tried on two rows."""
    if model.base_model is model:
        return False
    mask = int(tokenizer.mask_token_id)
    ids = tokenizer("one two three", verbose=False)["input_ids"]
    inputs = TextInputs.of([np.array(row) for row in ([*ids, mask, mask, *ids], [mask, *ids, *ids, mask])])
    places_BK = torch.tensor([[len(ids), len(ids) + 1], [0, 2 * len(ids) + 1]])
    whole_BKV = _at(_logits(model, inputs, mask), places_BK)
    try:
        found_BKV = _cut_logits(model, inputs, mask, places_BK)
    except (AttributeError, KeyError, TypeError, RuntimeError, ValueError):
        return False
    return found_BKV.shape == whole_BKV.shape and bool((found_BKV - whole_BKV).abs().max() < _CLOSE)
