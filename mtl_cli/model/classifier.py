"""Sequence classifiers of others: a folder, or the hub."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from mtl_cli.data.text import TextInputs
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.backbone.base import longest_input
from mtl_cli.model.loading import load


@dataclass(frozen=True)
class SequenceClassifier:
    """A Hugging Face sequence classifier with its tokenizer. Legend: B rows, C classes."""

    model: nn.Module
    tokenizer: PreTrainedTokenizerFast
    classes: tuple[str, ...]
    """Names in the order of the logits."""
    limit: int | None
    """Longest input in tokens; None if there is no limit."""

    def __call__(self, inputs: TextInputs) -> Tensor:
        """Logits, shape [B, C]."""
        padded = inputs.padded(int(self.tokenizer.pad_token_id or 0))
        named = {"input_ids": padded.ids_BL, "attention_mask": padded.mask_BL}
        if padded.types_BL is not None and "token_type_ids" in inspect.signature(self.model.forward).parameters:
            named["token_type_ids"] = padded.types_BL
        return self.model(**named).logits


def load_classifier(path: str, key: str) -> SequenceClassifier:
    """Load a sequence classifier.

    Args:
        path: a folder, or an id on the hub.
        key: of the config, for messages.

    Raises:
        ConfigError: there is none, it has no trained head, or no fast tokenizer.
    """
    found = load(path, key, AutoModelForSequenceClassification)
    lacking, tokenizer, model = found.missing, found.tokenizer, found.model
    if lacking:
        raise ConfigError(
            [Fault(key, f"'{path}' has no trained classifier: its weights lack {', '.join(lacking[:3])}. Is it an encoder alone?")]
        )  # fmt: skip
    if tokenizer.pad_token_id is None:
        raise ConfigError([Fault(key, f"the tokenizer of '{path}' has no padding token")])
    names = model.config.id2label
    classes = tuple(str(names.get(i, f"LABEL_{i}")) for i in range(model.config.num_labels))
    return SequenceClassifier(model, tokenizer, classes, longest_input(model.base_model, tokenizer))
