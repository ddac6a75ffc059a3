"""Where things lie on disk: shipped configs, outputs, the cache."""

from __future__ import annotations

import os
from pathlib import Path

import mtl_cli


def config_dir() -> Path:
    """Folder of the shipped YAML files.

    In a wheel they lie inside the package, in a checkout beside it. The package comes first: beside an installed
    package lies site-packages, where a stranger's `configs` may be.
    """
    package = Path(mtl_cli.__file__).resolve().parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def user_config_dirs(given: str | None) -> list[Path]:
    """Folders with the user's own YAML files: `--config-dir`, else the environment's `MTL_CONFIGS`."""
    text = given or os.environ.get("MTL_CONFIGS", "")
    return [Path(part).expanduser().resolve() for part in text.split(os.pathsep) if part]


def outputs_dir(given: str | None = None) -> Path:
    """Folder that holds the run folders: the argument, else `MTL_OUTPUTS`, else `./outputs`."""
    return Path(given or os.environ.get("MTL_OUTPUTS") or "outputs").expanduser()


def cache_dir(given: str | None = None) -> Path:
    """Folder of encoded data: the argument, else `MTL_CACHE`, else `~/.cache/mtl`."""
    base = given or os.environ.get("MTL_CACHE")
    if base:
        return Path(base).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mtl"
