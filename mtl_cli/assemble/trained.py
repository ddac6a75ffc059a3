"""The config of a run that trained a model; imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.runs.folder import command_of, read_config


def trained_config(run: str) -> dict[str, Any]:
    """Plain config of a run that trained a model. Raises `ConfigError` where there is none."""
    path = Path(run).expanduser()
    values = read_config(path)
    if command_of(values) == "zeroshot":
        problem = f"{path} is a run of `mtl zeroshot`, which trains nothing: it has no checkpoint. Its scores: mtl runs show {path}"
        raise ConfigError([Fault("run", f"{problem}. Give a run of `mtl train`")])
    return values
