"""What a Hugging Face model was trained for, read from its config alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import AutoConfig
from transformers.utils.hub import cached_file

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.backbone.base import Pooling
from mtl_cli.model.loading import find_model, from_pretrained

Does = Literal["similarity", "entailment", "causal", "masked"]


@dataclass(frozen=True)
class Ability:
    """What a model can be asked."""

    does: Does
    why: str
    """What in its config says so."""
    pooling: Pooling = "mean"
    """How an encoder's token states become one vector."""


def ability(path: str, key: str) -> Ability:
    """What the model in a folder, or on the hub, was trained for.

    Args:
        path: a folder, or an id on the hub.
        key: of the config, for messages.

    Raises:
        ConfigError: there is no such model, or nothing in its config says what it is for.
    """
    folder = find_model(path, key)
    pooling = _pooling(folder)
    if pooling is not None:
        return Ability("similarity", f"'{path}' is a sentence encoder ({pooling} pooling)", pooling)
    return _of_architecture(path, key, from_pretrained(AutoConfig, folder, key))


def _of_architecture(path: str, key: str, config: Any) -> Ability:
    names = list(config.architectures or ())
    name = names[0] if names else ""
    if name.endswith("ForSequenceClassification"):
        classes = [str(label) for label in (config.id2label or {}).values()]
        if any(label.strip().lower().startswith("entail") for label in classes):
            return Ability("entailment", f"'{path}' sorts pairs of texts into {', '.join(classes)}")
        raise ConfigError(
            [Fault(key, f"'{path}' is a classifier of {', '.join(classes[:8])}, none of which is entailment: {_HOW}")]
        )
    if name.endswith(("ForCausalLM", "LMHeadModel")):
        return Ability("causal", f"'{path}' continues texts ({name})")
    if name.endswith("ForMaskedLM"):
        return Ability("masked", f"'{path}' fills masks in texts ({name})")
    if name.endswith("Model") and not getattr(config, "is_encoder_decoder", False):
        return Ability("similarity", f"'{path}' is an encoder ({name})")
    told = f"says {name}" if name else "names no architecture"
    raise ConfigError([Fault(key, f"what '{path}' can be asked is not known: its config {told}. {_HOW}")])


_HOW = (
    "Name the engine: method=embed with backbone=hf backbone.path=..., method=nli, causal or cloze with method.path=..."
)


def _pooling(folder: str) -> Pooling | None:
    """How a sentence encoder pools, from the files that sentence-transformers writes; None if it is none."""
    modules, pooling = (_read(folder, name) for name in ("modules.json", "1_Pooling/config.json"))
    if modules is None or pooling is None:
        return None
    names: tuple[Pooling, ...] = ("cls", "max", "mean")
    for name in names:
        if pooling.get(f"pooling_mode_{name}_token{'s' * (name != 'cls')}") or pooling.get("pooling_mode") == name:
            return name
    return None


def _read(folder: str, name: str) -> Any:
    try:
        found = cached_file(
            folder, name, _raise_exceptions_for_missing_entries=False, _raise_exceptions_for_connection_errors=False
        )
        return None if found is None else json.loads(Path(found).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
