"""Configs of strangers: what in a stored config would run code or read the environment, and who may let it.

A run folder may come from anyone. Its weights are data, and so is its config, but for three things: `_target_` and dotted
names, which import and call Python objects, and interpolations, which read environment variables of whoever opens the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtl_cli.config.environment import reads_environment, resolved_again
from mtl_cli.config.registry import FAMILIES
from mtl_cli.errors import ConfigError, Fault


def code_in(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Python objects that a config names, as (dotted key, object)."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            inner = f"{key}.{name}" if key else str(name)
            if name == "_target_":
                yield inner, str(item)
            elif name in FAMILIES:
                yield from _member(item, inner)
            elif name == "metrics" and isinstance(item, list):
                yield from ((f"{inner}[{i}]", str(metric)) for i, metric in enumerate(item) if "." in str(metric))
            yield from code_in(item, inner)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from code_in(item, f"{key}[{i}]")


def _member(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """A member of a family whose name is that of an object; `_target_` is found anywhere."""
    if isinstance(value, str) and "." in value:
        yield key, value
    elif isinstance(value, Mapping) and "." in str(value.get("name", "")):
        yield f"{key}.name", str(value["name"])


def environment_in(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Interpolations that a config holds, as (dotted key, text)."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from environment_in(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from environment_in(item, f"{key}[{i}]")
    elif isinstance(value, str) and reads_environment(value):
        yield key, value


def stored_values(values: Mapping[str, Any], path: Path, *, trust: bool) -> dict[str, Any]:
    """A stored config as it may be used: nothing in it runs code or reads the environment unless the user trusts the run.

    Args:
        values: of config.yaml.
        path: the run folder, for the message.
        trust: whether the user said so.

    Raises:
        ConfigError: the config names code or environment variables, and the user did not say that it is to be trusted.
    """
    if trust:
        return resolved_again(dict(values))
    if faults := untrusted(values, path):
        raise ConfigError(faults)
    return dict(values)


def untrusted(values: Mapping[str, Any], path: Path) -> list[Fault]:
    """What a stored config would run or read, each with the way out."""
    way = "If you trust this run, and whoever made it, add --trust"
    found = [
        Fault(key, f"the config of {path} names the Python object '{target}', which would run code. {way}.")
        for key, target in code_in(values)
    ]
    found += [
        Fault(key, f"the config of {path} reads your environment: {text}. {way}.")
        for key, text in environment_in(values)
    ]
    return found
