"""Encoders with trained weights: a folder, a pip package that carries one, or the hub."""

from __future__ import annotations

import functools
import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoModel, AutoTokenizer

from mtl_cli import hub
from mtl_cli.digest import content_digest
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.backbone.base import Backbone, Pooling
from mtl_cli.model.loading import from_pretrained

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Package:
    """A pip package that carries the model's files."""

    module: str
    folder: str
    """Folder inside the package."""
    sha256: dict[str, str]
    """Digest of each file that must be as published; nothing is loaded if one differs."""


def pretrained(*, path: str, pooling: Pooling, package: Package | None) -> Backbone:
    """Load an encoder from a folder, else from its pip package if that is installed, else from the hub.

    Args:
        path: a folder, or an id on the hub.
        pooling: see `Backbone`.
        package: a pip package with the same files.

    Raises:
        ConfigError: nothing is found, or a file of the package is not what was published.
    """
    folder, identity = _find(path, package)
    return load(folder, pooling, identity, "backbone.path")


def load(folder: str, pooling: Pooling, identity: str, key: str) -> Backbone:
    """Load an encoder and tokenizer from a folder or hub id.

    Args:
        folder: of both.
        pooling: see `Backbone`.
        identity: for records.
        key: of the config, for messages.

    Raises:
        ConfigError: that fails, or it would take code of the model's own.
    """
    encoder = from_pretrained(AutoModel, folder, key)
    tokenizer: Any = from_pretrained(AutoTokenizer, folder, key)
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError([Fault(key, f"'{folder}' has no fast tokenizer (tokenizer.json)")])
    if tokenizer.pad_token_id is None:
        raise ConfigError([Fault(key, f"the tokenizer of '{folder}' has no padding token")])
    return Backbone(encoder, tokenizer, pooling=pooling, identity=identity)


def _find(path: str, package: Package | None) -> tuple[str, str]:
    folder = Path(path).expanduser()
    if folder.is_dir():
        return str(folder), str(folder)
    if package is not None and (packaged := _package_folder(package)):
        return str(packaged), f"{path} (pip package {package.module}, files checked by hash)"
    if path.startswith((".", "/", "~")):
        raise ConfigError([Fault("backbone.path", f"there is no folder {path}")])
    if not hub.model_cached(path) and not hub.answers(3.0):
        pip = f" Or `pip install {package.module.replace('_', '-')}`." if package else ""
        raise ConfigError(
            [
                Fault(
                    "backbone.path",
                    f"'{path}' is no folder here, and the hub ({hub.endpoint()}) does not answer.{pip} Or give a folder, or backbone=tiny.",
                )
            ]
        )
    return path, f"{path} (hub)"


def _package_folder(package: Package) -> Path | None:
    # Found, not imported: nothing of the package's code runs.
    spec = importlib.util.find_spec(package.module)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / package.folder
    for name, published in package.sha256.items():
        file = folder / name
        found = _sha256(file, file.stat().st_mtime_ns, file.stat().st_size) if file.is_file() else "missing"
        if found != published:
            raise ConfigError(
                [
                    Fault(
                        "backbone.package",
                        f"{file} is not the published file: sha256 {found}, must be {published}. Reinstall the package.",
                    )
                ]
            )
    return folder


@functools.lru_cache
def _sha256(path: Path, changed_ns: int, size: int) -> str:  # noqa: ARG001
    """Digest of a file; not made again in this process while time of change and size are the same."""
    return content_digest(path)
