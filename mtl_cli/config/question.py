"""A zero-shot question as the user asked it, so that it can be asked again of another engine."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from mtl_cli.config.compose import compose
from mtl_cli.config.read import read
from mtl_cli.config.schema_zeroshot import DoctorConfig, ZeroshotConfig


@dataclass(frozen=True)
class Question:
    """Overrides and flags of `mtl zeroshot`."""

    overrides: tuple[str, ...]
    """In Hydra's grammar."""
    flags: Mapping[str, Any]
    """Dotted key -> value, written into the composed values: words may hold what an override's grammar does not allow."""
    config_dirs: tuple[Path, ...] = ()
    primary: ClassVar[str] = "zeroshot"
    """Name of the YAML file that it is composed from."""

    @property
    def given(self) -> list[str]:
        """Dotted keys that are named, in overrides and then in flags."""
        named = [text.lstrip("+~").partition("=")[0].partition("@")[0].replace("/", ".") for text in self.overrides]
        return list(dict.fromkeys([*named, *self.flags]))

    def values(self) -> dict[str, Any]:
        """The composed config in plain values. Raises `ConfigError` with every override that names nothing."""
        values = copy.deepcopy(compose(self.primary, self.overrides, self.config_dirs).values)
        for key, value in self.flags.items():
            section, _, name = key.rpartition(".")
            (values[section] if section else values)[name] = value
        return values

    def config(self) -> ZeroshotConfig:
        """The composed config, checked. Raises `ConfigError` with every fault."""
        return read(ZeroshotConfig, self.values())

    def with_engine(self, overrides: Sequence[str]) -> Question:
        """The same question with another engine.

        Args:
            overrides: what is said of `method` and whatever else; what the user said of `method` is left out.
        """
        kept = [text for text in self.overrides if text.lstrip("+~").partition("=")[0].split(".")[0] != "method"]
        flags = {key: value for key, value in self.flags.items() if not key.startswith("method.")}
        return replace(self, overrides=(*kept, *overrides), flags=flags)


@dataclass(frozen=True)
class Point:
    """One of several questions that are compared."""

    shown: str
    """What it varies, as it was written."""
    question: Question
    """With an `out.name` of its own."""


@dataclass(frozen=True)
class DoctorQuestion(Question):
    """The same asked of `mtl doctor`."""

    primary: ClassVar[str] = "doctor"

    def config(self) -> DoctorConfig:
        """The composed config, checked. Raises `ConfigError` with every fault."""
        return read(DoctorConfig, self.values())
