"""The model and data hub: where it is, whether it answers, what its caches hold. Imports no hub client."""

from __future__ import annotations

import functools
import http.client
import os
import re
import urllib.error
import urllib.request
from pathlib import Path


def endpoint() -> str:
    """Address of the hub."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


@functools.cache
def answers(timeout: float) -> bool:
    """Whether the hub answers within so many seconds; asked once a process. False if HF_HUB_OFFLINE is set."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        return False
    try:
        request = urllib.request.Request(endpoint(), method="HEAD")
        with urllib.request.urlopen(request, timeout=timeout):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _home() -> Path:
    caches = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return Path(os.environ.get("HF_HOME", caches / "huggingface")).expanduser()


def data_cached(hub_id: str, subset: str | None) -> bool:
    """Whether the cache of prepared data sets holds this one."""
    base = Path(os.environ.get("HF_DATASETS_CACHE", _home() / "datasets")).expanduser()
    owner, slash, name = hub_id.rpartition("/")
    # `datasets` writes the name, not the owner, in snake case. A data set's only subset need not be called "default".
    snake = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)).lower()
    folder = base / (f"{owner}___{snake}" if slash else snake)
    return any(folder.glob(f"{subset or '*'}/*/*/dataset_info.json"))


def model_cached(hub_id: str) -> bool:
    """Whether the cache of model files holds this one."""
    base = Path(os.environ.get("HF_HUB_CACHE", _home() / "hub")).expanduser()
    return any((base / f"models--{hub_id.replace('/', '--')}").glob("snapshots/*/config.json"))
