"""Overrides -> one plain dict, by Hydra; Hydra's errors become ours, all at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathElement
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mtl_cli.config.paths import config_dir
from mtl_cli.config.registry import FAMILIES
from mtl_cli.errors import ConfigError, Fault, did_you_mean

# ValueError, TypeError: what Hydra says to task=3 and task=[3], and to a YAML file that is not UTF-8.
_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError, TypeError)


_NO_TEXT = ("true", "false", "null", "inf", "nan")


@dataclass(frozen=True)
class Composed:
    """A composed config."""

    values: dict[str, Any]
    """Plain, resolved values, for the converter."""
    choices: Mapping[str, str]
    """What was picked of each group, such as `task: glue_mix`."""


@contextmanager
def loaded(config_dirs: Sequence[Path] = ()) -> Iterator[ConfigLoader]:
    """Open the shipped configs and the user's folders; inside, Hydra can compose and list."""
    for folder in config_dirs:
        if not folder.is_dir():
            raise ConfigError(f"--config-dir: there is no folder {folder}")
        hidden = [
            path for path in sorted(folder.rglob("*.yaml")) if (config_dir() / path.relative_to(folder)).is_file()
        ]
        if hidden:
            raise ConfigError(
                f"--config-dir: {hidden[0]} has the name of a shipped file, which would be taken instead. Rename it."
            )
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        _add_folders(loader, config_dirs)
        yield loader


def _add_folders(loader: ConfigLoader, config_dirs: Sequence[Path]) -> None:
    """Let Hydra look in more folders. Its own override `hydra.searchpath` would hold for composing, not for listing."""
    search = loader.get_search_path()
    for folder in config_dirs:
        # Hydra wants its schema to stay the last entry.
        search.get_path().insert(-1, SearchPathElement("user", f"file://{folder}"))
    loader.repository.initialize_sources(search)  # type: ignore[attr-defined]


def compose(primary: str, overrides: Sequence[str], config_dirs: Sequence[Path] = ()) -> Composed:
    """Compose a primary config with overrides.

    Args:
        primary: "train", "affinity", "affinity_run", "eval", "zeroshot" or "doctor".
        overrides: in Hydra's grammar: `key=value`, `+key=value`, `~key`, `group=option`, `group=[a,b]`.
        config_dirs: the user's folders; they add options to the shipped ones.

    Raises:
        ConfigError: with every override that names no key or no option, or with missing values.
    """
    with loaded(config_dirs) as loader:
        try:
            config = hydra_compose(primary, list(overrides), return_hydra_config=True)
        except _ERRORS as error:
            raise ConfigError(_diagnose(primary, overrides, loader, error)) from error
        if faults := list(_several_faults(overrides)):
            raise ConfigError(faults)
        try:
            return _plain(config)
        except OmegaConfBaseException as error:
            raise ConfigError([Fault(error.full_key or "", str(error).splitlines()[0])]) from error


def _plain(config: DictConfig) -> Composed:
    chosen = cast(dict[str, Any], OmegaConf.to_container(config.hydra.runtime.choices))
    choices = {key: str(value) for key, value in chosen.items() if "/" not in key}
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    missing = sorted(OmegaConf.missing_keys(own))
    if missing:
        raise ConfigError([Fault(key, f"missing: give {key}=VALUE") for key in missing])
    try:
        values = cast(dict[str, Any], OmegaConf.to_container(own, resolve=True))
    except OmegaConfBaseException as error:
        raise ConfigError(str(error)) from error
    if isinstance(values.get("task"), Mapping):
        raise ConfigError([Fault("task", "the chosen YAML file lacks its first line: # @package _global_")])
    return Composed(values, choices)


def options(loader: ConfigLoader, group: str) -> list[str]:
    """Names of the YAML files of a group."""
    return loader.get_group_options(group, ObjectType.CONFIG)


def groups(loader: ConfigLoader) -> list[str]:
    """Names of the groups."""
    found = loader.list_groups("")
    return sorted(g for g in found if g not in ("hydra", "hydra_plugins"))


def _diagnose(primary: str, overrides: Sequence[str], loader: ConfigLoader, error: Exception) -> list[Fault]:
    """Look at each override by itself, since Hydra stops at the first fault."""
    faults: list[Fault] = []
    known = set(groups(loader))
    taken = _taken(primary)
    group_overrides: list[str] = []
    value_overrides: list[Override] = []
    for text in overrides:
        try:
            override = OverridesParser.create().parse_overrides([text])[0]
        except HydraException as bad:
            faults.append(
                Fault(
                    "", _first_paragraph(f"'{text}' is not KEY=VALUE in Hydra's grammar: {bad}") + _quoting_hint(text)
                )
            )
            continue
        if override.key_or_group in known - taken:
            faults.append(
                Fault(override.key_or_group, f"nothing of this group is chosen here. There is: {_sections(primary)}")
            )
        elif override.key_or_group in known:
            wrong = list(_group_faults(override, options(loader, override.key_or_group)))
            faults.extend(wrong)
            group_overrides += [] if wrong else [text]
        else:
            value_overrides.append(override)
    faults.extend(_value_faults(primary, group_overrides, value_overrides, known))
    return faults or [Fault("", _first_paragraph(str(error)))]


def _taken(primary: str) -> set[str]:
    """Groups that a primary config chooses from."""
    choices = hydra_compose(primary, return_hydra_config=True).hydra.runtime.choices
    return {str(key) for key in choices}


def _sections(primary: str) -> str:
    return ", ".join(str(key) for key in hydra_compose(primary))


def _group_faults(override: Override, names: list[str]) -> Iterator[Fault]:
    value = override.value()
    group = override.key_or_group
    if override.is_add():
        yield Fault(group, f"is chosen already: write {group}={value}, or {group}=[a,b] for several")
        return
    for name in value if isinstance(value, list) else [value]:
        if override.is_sweep_override():
            yield Fault(group, "several values: add -m to sweep over them, or write [a,b] to take them together")
        elif not isinstance(name, str) and not override.is_delete():
            yield Fault(group, f"must be a name or a list of names; `mtl ls {group}` shows all. To take none: ~{group}")
        elif isinstance(name, str) and name not in names:
            yield Fault(group, f"unknown {group} '{name}'. {did_you_mean(name, names)} `mtl ls {group}` shows all.")


def _several_faults(overrides: Sequence[str]) -> Iterator[Fault]:
    """Lists for a family that takes one member: Hydra lets the last replace the others and says nothing."""
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        group, value = override.key_or_group, None if override.is_sweep_override() else override.value()
        if group in FAMILIES and isinstance(value, list) and len(value) > 1:
            each = ",".join(map(str, value))
            yield Fault(
                group, f"takes one, not {len(value)}: the last would replace the others. To try each: -m {group}={each}"
            )


def _value_faults(
    primary: str, group_overrides: list[str], value_overrides: list[Override], known: set[str]
) -> Iterator[Fault]:
    try:
        base = hydra_compose(primary, group_overrides)
    except _ERRORS:
        return
    keys = _dotted(OmegaConf.to_container(base, resolve=False))
    for override in value_overrides:
        key = override.key_or_group
        if override.is_sweep_override():
            yield Fault(key, "several values: add -m to sweep over them, or write [a,b] for a list")
        elif not override.is_add() and not override.is_force_add() and key not in keys:
            yield Fault(key, f"unknown key. {_nearest(key, keys | known)} To add it: +{key}=...")


def _dotted(value: Any, prefix: str = "") -> set[str]:
    keys: set[str] = set()
    if isinstance(value, Mapping):
        for name, item in value.items():
            key = f"{prefix}.{name}" if prefix else str(name)
            keys |= {key} | _dotted(item, key)
    return keys


def _nearest(key: str, keys: set[str]) -> str:
    hint = did_you_mean(key, keys)
    if hint.startswith("Did"):
        return hint
    # A leaf that exists elsewhere, such as lr for optim.lr.
    same = sorted(k for k in keys if k.rpartition(".")[2] == key.rpartition(".")[2])
    if same:
        return f"Did you mean '{same[0]}'?"
    siblings = sorted(k for k in keys if k.rpartition(".")[0] == key.rpartition(".")[0])
    return f"There is: {', '.join(siblings[:12])}." if siblings else ""


def _quoting_hint(text: str) -> str:
    """The same override with its value in quotes inside quotes, which is what brackets, commas and spaces in it need."""
    key, _, value = text.partition("=")
    if not value or "'" in text or '"' in text:
        return ""
    return f"""\nIf the value is one text or expression, give it quotes inside the shell's: '{key}="{value}"'"""


def _first_paragraph(text: str) -> str:
    return re.split(r"\n\s*\n", text.strip())[0]


def quoted(text: str) -> str:
    """A text as a value in Hydra's grammar, which outside quotes reads `=` and commas as its own, and some words as no text."""
    if re.fullmatch(r"[a-z_][\w./+-]*", text, re.ASCII | re.IGNORECASE) and text.lower() not in _NO_TEXT:
        return text
    # Backslashes are plain but before a quote, where each needs another.
    escaped = re.sub(r'(\\*)("|$)', lambda found: 2 * found[1] + found[2].replace('"', '\\"'), text)
    return f'"{escaped}"'
