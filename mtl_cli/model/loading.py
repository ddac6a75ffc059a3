"""Models of others with their tokenizers: a folder, the offline store, or the hub."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

from mtl_cli import hub
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.quiet import quiet
from mtl_cli.offline import store
from mtl_cli.offline.packages import name_of

log = logging.getLogger(__name__)

_REFUSALS = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, SafetensorError)
"""What the library raises for files that are missing, damaged or not of the kind."""
_MOST_LAYERS = 1000
"""Of a model; the deepest have some two hundred. They are built before weights are looked for."""
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def from_pretrained(auto: Any, folder: str | Path, key: str, **options: Any) -> Any:
    """What an auto class of the library makes of a folder or an id on the hub: the one way in which the package loads third-party files.

    Code that comes with a model is never run, and nobody is asked whether it may: the library would read the answer from standard
    input, where texts come from. Weights are read from safetensors alone, since a pickle can run code too.

    Args:
        auto: such as `AutoModel` or `AutoTokenizer`.
        folder: a folder, or an id on the hub.
        key: of the config, for messages.
        options: of the library.

    Raises:
        ConfigError: nothing can be loaded, or only by code of the model's own or from a pickle.
    """
    weights = auto.__name__.startswith("AutoModel")
    if weights:
        # Else the library asks a service of the hub to convert pickles, and waits for it.
        os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
        options = {"use_safetensors": True, **options}
        _check_index(folder, key)
    try:
        with quiet(), _without_pickles():
            if weights:
                _check_config(AutoConfig.from_pretrained(folder, trust_remote_code=False))
            found = auto.from_pretrained(folder, trust_remote_code=False, **options)
    except _REFUSALS as error:
        raise ConfigError([Fault(key, _reason(auto, folder, error))]) from error
    if weights:
        _warn_of_code(folder, found)
    return found


@contextlib.contextmanager
def _without_pickles() -> Iterator[None]:
    """Inside, no pickle is read. The option `use_safetensors` leaves a way: an index of safetensors may name a pickle as its shard."""

    def refuse(file: Any, *_: Any, **__: Any) -> Any:
        raise ValueError(f"{file} is a pickle, which can run code while it is read; only safetensors are")

    load = torch.load
    torch.load = refuse  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.load = load


def _check_index(folder: str | Path, key: str) -> None:
    """Raise `ConfigError` if the index of a folder's weights leads out of the folder."""
    for path in sorted(Path(folder).glob("*.index.json")):
        try:
            shards = {str(name) for name in json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue  # the library says what is wrong with it
        outside = sorted(name for name in shards if Path(name).name != name)
        if outside:
            problem = f"{path} names weights outside its folder: {outside[0][:100]}. Put the files beside it"
            raise ConfigError([Fault(key, problem)])


def _check_config(config: Any) -> None:
    """Raise `ValueError` for a config that fetches code of its own, or builds layers without bound."""
    attention = str(getattr(config, "_attn_implementation", None))
    if "/" in attention:
        raise ValueError(
            f"its config asks for an attention kernel of the hub, {attention[:100]}, which is code; take it out"
        )
    for name, value in config.to_dict().items():
        if "layer" in name and isinstance(value, int) and value > _MOST_LAYERS:
            raise ValueError(f"its config has {name} {value:,}; at most {_MOST_LAYERS:,} layers are built")


def _reason(auto: Any, folder: str | Path, error: Exception) -> str:
    told = str(error).strip()
    if "trust_remote_code" in told:
        return (
            f"'{folder}' needs Python code of its own (auto_map in its config), which mtl does not run: that code could do anything. "
            "Give a model whose architecture is part of the transformers library"
        )
    if isinstance(error, OSError) and "safetensors" in told and _is_pickled(folder):
        return (
            f"'{folder}' has no safetensors file, only a pickle (pytorch_model.bin), which can run code while it is read. If you trust "
            f'it, convert it once: python -c "from transformers import {auto.__name__} as M, AutoTokenizer as T; '
            f"M.from_pretrained('{folder}').save_pretrained('DIR'); T.from_pretrained('{folder}').save_pretrained('DIR')\", "
            "and give DIR"
        )
    doing = "read the config of" if auto.__name__ == "AutoConfig" else "load"
    return f"cannot {doing} '{folder}': {told.splitlines()[0] if told else type(error).__name__}"


def _is_pickled(folder: str | Path) -> bool:
    """Whether the weights of a folder are a pickle; of the hub, where no safetensors were found, they are one or nothing."""
    return not Path(folder).is_dir() or any((Path(folder) / name).is_file() for name in _PICKLES)


def _warn_of_code(folder: str | Path, found: Any) -> None:
    """Report a model that names code of its own beside an architecture that the library knows."""
    model = found[0] if isinstance(found, tuple) else found
    path = Path(folder) / "config.json"
    try:
        own = json.loads(path.read_text(encoding="utf-8")).get("auto_map") if path.is_file() else None
    except (OSError, ValueError, AttributeError):
        return
    if own:
        log.warning(
            "'%s' brings Python code of its own (auto_map in its config), which is not run: it is loaded as %s of the transformers "
            "library", folder, type(model).__name__,
        )  # fmt: skip


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
        ConfigError: there is none, it is of another kind, it needs code of its own, or it has no fast tokenizer.
    """
    folder = find_model(path, key)
    model, found = from_pretrained(auto, folder, key, output_loading_info=True, dtype=torch.float32)
    tokenizer: Any = from_pretrained(AutoTokenizer, folder, key)
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
