"""Interpolations -> values; those that read the environment are marked, so that no file gets what they gave."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.redact import from_environment, hide

_READS = re.compile(r"\$\{\s*oc\.env\s*:")
_NO_DEFAULT = "_mtl_no_default"


def resolved(config: DictConfig) -> dict[str, Any]:
    """A composed config in plain values.

    Raises:
        ConfigError: an interpolation names nothing, or reads of the environment what is neither text nor number.
        OmegaConfBaseException: as OmegaConf has it, for other faults of interpolations.
    """
    with _watched() as names:
        values: dict[str, Any] = _mapping(config, names, "")
    return values


@contextmanager
def _watched() -> Iterator[list[str]]:
    """Inside, a variable that `oc.env` reads is noted in the list."""
    names: list[str] = []

    def env(name: Any, default: Any = _NO_DEFAULT) -> str | None:
        variable = f"{name}"
        value = os.environ.get(variable)
        if value is not None:
            names.append(variable)
            hide(value, f"${{oc.env:{variable}}}")
            return value
        if default != _NO_DEFAULT:
            return None if default is None else f"{default}"
        raise KeyError(f"Environment variable '{variable}' not found")

    OmegaConf.register_new_resolver("oc.env", env, replace=True)
    try:
        yield names
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def _mapping(config: Any, names: list[str], key: str) -> dict[str, Any]:
    return {str(name): _node(config, name, names, f"{key}.{name}" if key else str(name)) for name in config}


def _node(parent: DictConfig | ListConfig, name: Any, names: list[str], key: str) -> Any:
    if not OmegaConf.is_interpolation(parent, name):
        return _inner(parent[name], names, key)
    names.clear()
    raw = str(parent._get_node(name)._value())  # type: ignore[union-attr]
    value = parent[name]
    if isinstance(value, DictConfig | ListConfig):
        return _inner(value, names, key)
    if not names:
        return value
    if not reads_environment(raw):  # by way of another key, which may not be there when it is read again
        for variable in names:
            raw = str(value).replace(os.environ[variable], f"${{oc.env:{variable}}}")
    try:
        return from_environment(value, raw)
    except TypeError as error:
        raise ConfigError([Fault(key, str(error))]) from error


def _inner(value: Any, names: list[str], key: str) -> Any:
    if isinstance(value, DictConfig):
        return _mapping(value, names, key)
    if isinstance(value, ListConfig):
        return [_node(value, i, names, f"{key}[{i}]") for i in range(len(value))]
    return value


def reads_environment(text: str) -> bool:
    """Whether a text holds an interpolation that reads an environment variable."""
    return _READS.search(text) is not None


def resolved_again(value: Any, key: str = "") -> Any:
    """Plain stored values in which what reads the environment is read anew; all other texts stay as they are.

    Raises:
        ConfigError: a variable is not set.
    """
    if isinstance(value, dict):
        return {name: resolved_again(item, f"{key}.{name}" if key else str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [resolved_again(item, f"{key}[{i}]") for i, item in enumerate(value)]
    if not (isinstance(value, str) and reads_environment(value)):
        return value
    try:
        return resolved(OmegaConf.create({"value": value}))["value"]
    except OmegaConfBaseException as error:
        raise ConfigError([Fault(key, str(error).splitlines()[0])]) from error
