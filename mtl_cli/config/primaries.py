"""The YAML file of each command and the class that checks it."""

from __future__ import annotations

import dataclasses
import importlib
import types
import typing
from collections.abc import Mapping
from typing import Any

from mtl_cli.config.convert import Node

PRIMARIES: Mapping[str, str] = {
    "train": "mtl_cli.config.schema:TrainConfig",
    "eval": "mtl_cli.config.schema:EvalConfig",
    "zeroshot": "mtl_cli.config.schema_zeroshot:ZeroshotConfig",
    "doctor": "mtl_cli.config.schema_zeroshot:DoctorConfig",
    "check": "mtl_cli.config.schema_check:CheckConfig",
    "transfer": "mtl_cli.config.schema_transfer:TransferConfig",
    "affinity": "mtl_cli.config.schema_affinity:AffinityConfig",
    "affinity_run": "mtl_cli.config.schema_affinity:AffinityRunConfig",
}


def config_class(primary: str) -> type:
    """The class that a primary config is converted to."""
    module, _, name = PRIMARIES[primary].partition(":")
    found: type = getattr(importlib.import_module(module), name)
    return found


def sections(primary: str) -> dict[str, list[str]]:
    """Keys of a primary config that hold keys themselves, each with those that it always has."""
    found = {}
    for name, hint in typing.get_type_hints(config_class(primary)).items():
        if hint is Node:
            found[name] = ["name"]
        elif dataclasses.is_dataclass(hint):
            found[name] = [field.name for field in dataclasses.fields(hint)]
        elif typing.get_origin(hint) is dict:
            found[name] = []
    return found


def takes(primary: str, key: str, values: Any) -> bool:
    """Whether a config takes a key that it does not have: a name of a mapping, or an optional field.

    Args:
        primary: name of the YAML file.
        key: dotted.
        values: the composed config, for members of families: what one takes beside its YAML is not known here.
    """
    return _takes(config_class(primary), key.split("."), values)


def _takes(cls: Any, names: list[str], values: Any) -> bool:
    if not names:
        return True
    for member in _members(cls):
        if member is Node:
            return len(names) > 1 and _is_mapping_in(values, names[:-1])
        if dataclasses.is_dataclass(member):
            hints = typing.get_type_hints(member)
            if names[0] not in hints:
                return False
            return _takes(hints[names[0]], names[1:], _inside(values, names[0]))
        if typing.get_origin(member) in (dict, Mapping):
            return _takes(typing.get_args(member)[1], names[1:], _inside(values, names[0]))
    return False


def _members(cls: Any) -> tuple[Any, ...]:
    return typing.get_args(cls) if typing.get_origin(cls) in (typing.Union, types.UnionType) else (cls,)


def _inside(values: Any, name: str) -> Any:
    return values.get(name) if isinstance(values, Mapping) else None


def _is_mapping_in(values: Any, names: list[str]) -> bool:
    for name in names:
        values = _inside(values, name)
    return isinstance(values, Mapping)
