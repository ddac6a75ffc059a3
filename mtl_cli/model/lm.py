"""Causal language models of others. Legend: B rows, L tokens, K kept columns, V vocabulary."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.backbone.base import longest_input
from mtl_cli.model.loading import load


@dataclass(frozen=True)
class CausalLM:
    """A Hugging Face causal language model with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    limit: int | None
    """Longest input in tokens; None if there is no limit."""
    identity: str
    """Where it came from, for records."""

    @property
    def vocabulary(self) -> int:
        """V, the width of the logits."""
        return int(self.model.config.vocab_size)

    def __call__(self, ids_BL: Tensor, mask: Tensor, positions_BL: Tensor | None, keep: int) -> Tensor:
        """Logits of the last columns alone, shape [B, K, V]: the vocabulary is by far the widest layer.

        Args:
            ids_BL: token ids.
            mask: 1 for a token and 0 for padding, shape [B, L]; or what is added to the attention of each token to each, [B, 1, L, L].
            positions_BL: place of each token in its text; None: as they stand.
            keep: K.
        """
        inputs: dict[str, Any] = {"input_ids": ids_BL, "attention_mask": mask}
        takes = inspect.signature(self.model.forward).parameters
        if positions_BL is not None:
            inputs["position_ids"] = positions_BL
        if "use_cache" in takes:
            inputs["use_cache"] = False
        if "logits_to_keep" in takes:
            inputs["logits_to_keep"] = keep
        return self.model(**inputs).logits[:, -keep:]


def load_causal(path: str, key: str) -> CausalLM:
    """Load a causal language model.

    Args:
        path: a folder, or an id on the hub.
        key: of the config, for messages.

    Raises:
        ConfigError: there is none, it lacks weights or a fast tokenizer, or it looks at what comes after a token.
    """
    found = load(path, key, AutoModelForCausalLM)
    if found.missing:
        lacking = ", ".join(found.missing[:3])
        raise ConfigError([Fault(key, f"'{path}' is not a trained language model: its weights lack {lacking}")])
    model = CausalLM(found.model, found.tokenizer, longest_input(found.model, found.tokenizer), found.identity)
    if not _looks_back_alone(model):
        raise ConfigError([Fault(key, f"'{path}' is no causal language model: it looks at what comes after a token")])
    return model


@torch.inference_mode()
def _looks_back_alone(model: CausalLM) -> bool:
    """Whether what follows leaves the logits before it alone: a masked model loads as a causal one without a word."""
    ids_BL = torch.tensor([[5, 6, 7, 8], [5, 6, 9, 10]]) % model.vocabulary
    logits_BKV = model(ids_BL.to(model.model.device), torch.ones_like(ids_BL).to(model.model.device), None, 4).float()
    moved_K = (logits_BKV[0] - logits_BKV[1]).abs().amax(dim=-1)
    return bool(moved_K[:2].max() <= 1e-5 * moved_K[2:].max())
