"""Models of others with their tokenizers: a folder, the offline store, or the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from mtl_cli import hub
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.quiet import quiet
from mtl_cli.offline import store
from mtl_cli.offline.packages import name_of


@dataclass(frozen=True)
class Loaded:
    """A model as it was found."""

    model: Any
    """In evaluation mode."""
    tokenizer: PreTrainedTokenizerFast
    missing: tuple[str, ...]
    """Weights that the files do not hold, so that they are random."""
    identity: str
    """Where it came from, for records."""


def load(path: str, key: str, auto: Any) -> Loaded:
    """Load a model in float32, and its tokenizer.

    Args:
        path: a folder, or an id on the hub.
        key: of the config, for messages.
        auto: the library's class that knows the kind, such as `AutoModelForCausalLM`.

    Raises:
        ConfigError: there is none, it is of another kind, or it has no fast tokenizer.
    """
    folder = find_model(path, key)
    try:
        with quiet():
            model, found = auto.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
            tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError([Fault(key, f"cannot load '{path}': {str(error).strip().splitlines()[0]}")]) from error
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError([Fault(key, f"'{path}' has no fast tokenizer (tokenizer.json)")])
    identity = path if Path(path).expanduser().is_dir() or folder == path else f"{path} ({folder})"
    return Loaded(model, tokenizer, tuple(sorted(found["missing_keys"])), identity)


def find_model(path: str, key: str) -> str:
    """What the library can load a model from: a folder here or in the offline store, else the id as it is.

    Raises:
        ConfigError: there is no such folder, or the hub does not answer.
    """
    folder = Path(path).expanduser()
    if folder.is_dir():
        return str(folder)
    if path.startswith((".", "/", "~")):
        raise ConfigError([Fault(key, f"there is no folder {path}")])
    offline = store.served(path)
    if offline is not None:
        return str(offline)
    if not hub.model_cached(path) and not hub.answers(3.0):
        known = name_of(path)
        add = f", or once `mtl offline add {known}`" if known else ""
        problem = f"'{path}' is no folder here, and the hub ({hub.endpoint()}) does not answer. Give a folder{add}"
        raise ConfigError([Fault(key, problem)])
    return path
