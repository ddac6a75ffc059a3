"""Composed values -> a checked config, with the faults of fixed nodes and of open families together."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from mtl_cli.config.convert import Node, bind, convert
from mtl_cli.errors import ConfigError, Fault

T = TypeVar("T")


def read(cls: type[T], values: Mapping[str, Any], overrides: Sequence[str] | None = None) -> T:
    """Convert composed values to a config class.

    Args:
        cls: the config class.
        values: composed.
        overrides: everything that the user changed; None: any key may be theirs.

    Raises:
        ConfigError: with every fault. Builders are looked at here only if there is a fault already: importing them takes
            seconds, and the recipe binds them anyway.
    """
    faults: list[Fault] = []
    config = convert(cls, values, faults)
    if faults:
        _family_faults(cls, values, faults, overrides)
        raise ConfigError(faults)
    return typing.cast(T, config)


def _family_faults(cls: type, values: Mapping[str, Any], faults: list[Fault], overrides: Sequence[str] | None) -> None:
    changed = None if overrides is None else {re.split(r"[=.@/]", text.lstrip("+~"))[0] for text in overrides}
    hints = typing.get_type_hints(cls)
    families = {f.name: values[f.name] for f in dataclasses.fields(cls) if hints[f.name] is Node and f.name in values}
    nodes = [(name, name, value) for name, value in families.items()]
    tasks = values.get("tasks")
    if isinstance(tasks, Mapping):
        nodes += [
            ("kind", f"tasks.{n}.kind", t["kind"]) for n, t in tasks.items() if isinstance(t, Mapping) and "kind" in t
        ]
    for family, key, value in nodes:
        if changed is not None and key.partition(".")[0] not in changed:
            continue  # as shipped: nothing is wrong with it, and importing its builder would take seconds
        node = convert(Node, value, [], key)
        if isinstance(node, Node):
            bind(family, node, faults, key)
