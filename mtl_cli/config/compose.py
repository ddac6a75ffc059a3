"""Overrides -> one plain dict, by Hydra; Hydra's errors become ours, all at once.

What an interpolation reads from the environment is used and marked (`redact`), so that files get the interpolation back.
"""

from __future__ import annotations

import itertools
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

from mtl_cli.config.environment import resolved
from mtl_cli.config.paths import config_dir
from mtl_cli.config.primaries import sections, takes
from mtl_cli.config.registry import FAMILIES
from mtl_cli.config.words import field_word
from mtl_cli.errors import ConfigError, Fault, closest, cut, did_you_mean, listed, looks_alike
from mtl_cli.redact import is_variable, shortened_secret
from mtl_cli.yaml_text import DEPTH, check_size

# ValueError, TypeError: what Hydra says to task=3 and task=[3], and to a YAML file that is not UTF-8; OSError: to a name
# that is too long for a file.
_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError, TypeError, RecursionError, OSError)
_LONG_OVERRIDE = 300
_LARGEST_FILE = 10_000_000
"""Bytes of a YAML file of the user's."""


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
            raise ConfigError(f"--config-dir: there is no folder {folder}. Give one with files such as task/NAME.yaml")
        hidden = [
            path for path in sorted(folder.rglob("*.yaml")) if (config_dir() / path.relative_to(folder)).is_file()
        ]
        if hidden:
            raise ConfigError(
                f"--config-dir: {hidden[0]} has the name of a shipped file, which would be taken instead. Rename it."
            )
        _check_files(folder)
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        _add_folders(loader, config_dirs)
        yield loader


def _check_files(folder: Path) -> None:
    """Raise `ConfigError` for YAML files that would grow without bound when they are read."""
    faults: list[Fault] = []
    for path in sorted(folder.rglob("*.yaml")):
        try:
            if path.stat().st_size > _LARGEST_FILE:
                raise ValueError(f"it is larger than {_LARGEST_FILE // 1_000_000} MB")
            check_size(path.read_text(encoding="utf-8"))
        except ValueError as error:
            # What is no YAML or no UTF-8 matters only if it is chosen, and is refused then.
            if not isinstance(error, UnicodeDecodeError):
                faults.append(Fault("", f"--config-dir: {path} cannot be used: {error}"))
        except (YAMLError, OSError):
            continue
    if faults:
        raise ConfigError(faults)


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
        if faults := list(_foreign_faults(overrides)):
            raise ConfigError(faults)
        try:
            config = hydra_compose(primary, list(overrides), return_hydra_config=True)
        except _ERRORS as error:
            raise ConfigError(_diagnose(primary, overrides, loader, error)) from error
        if faults := [*_several_faults(overrides), *_section_faults(primary, config)]:
            raise ConfigError(faults)
        try:
            return _plain(config)
        except OmegaConfBaseException as error:
            raise ConfigError([Fault(error.full_key or "", _resolving(error))]) from error


def _resolving(error: OmegaConfBaseException) -> str:
    """What an interpolation is refused with, and what can be done."""
    text = str(error).splitlines()[0]
    missing = re.search(r"Environment variable '(.*?)' not found", text)
    if missing:
        return f"the environment variable {missing[1]} is not set. Set it (export {missing[1]}=...), or give the value itself"
    return f"{text}. To write ${{...}} as plain text, put a backslash before it"


def parsed(text: str) -> Override:
    """An override in Hydra's grammar. Raises `ConfigError` with the quotes that it may lack."""
    try:
        return OverridesParser.create().parse_overrides([text])[0]
    except (HydraException, RecursionError) as error:
        raise ConfigError([_grammar_fault(text, error)]) from error


def _example(text: str) -> str:
    """An override that may be meant by a bare word."""
    return f"run={text}" if "/" in text else "task=rte or task=[rte,mrpc]"


def _grammar_fault(text: str, error: Exception) -> Fault:
    if isinstance(error, RecursionError):
        return Fault("", f"'{cut(text)}' is nested too deeply")
    if len(text) > _LONG_OVERRIDE:  # Hydra repeats the whole of it
        return Fault(
            "", f"'{cut(text)}' is not KEY=VALUE in Hydra's grammar. Put a long text in quotes: KEY='\"TEXT\"'"
        )
    if "=" not in text and not text.startswith("~"):
        return Fault("", f"'{text}' is not KEY=VALUE. Write key and value without spaces, such as {_example(text)}")
    reason = "\n".join(line for line in str(error).splitlines() if not line.startswith("See https://hydra.cc"))
    return Fault("", _first_paragraph(f"'{text}' is not KEY=VALUE in Hydra's grammar: {reason}") + _quoting_hint(text))


def _foreign_faults(overrides: Sequence[str]) -> Iterator[Fault]:
    """Faults of overrides of Hydra's own settings, which load third-party plugins, and of values that are nested too deep."""
    for text in overrides:
        if _depth(text) > DEPTH:
            yield Fault("", f"'{cut(text)}' is nested deeper than {DEPTH} levels. Put such values into a YAML file")
        key = re.split(r"[=:@]", text.lstrip("+~"), maxsplit=1)[0]
        if key in ("hydra", "hydra_plugins") or key.startswith(("hydra.", "hydra/", "hydra_plugins/")):
            yield Fault(key, "Hydra's own settings have no effect here. Folders with YAML files: --config-dir DIR")


def _depth(text: str) -> int:
    """Brackets that are open at once, at most."""
    steps = [(c in "[{(") - (c in "]})") for c in text if c in "[]{}()"]
    return max(itertools.accumulate(steps), default=0)


def _section_faults(primary: str, config: DictConfig) -> Iterator[Fault]:
    """Sections that an override replaced by a value, or took away."""
    found = cast(Mapping[str, Any], OmegaConf.to_container(config, resolve=False))
    for name, inside in sections(primary).items():
        value = found.get(name, _GONE)
        if isinstance(value, Mapping) or (isinstance(value, str) and (name in FAMILIES or "${" in value)):
            continue
        yield _no_section(name, inside, "it is removed" if value is _GONE else f"found {cut(repr(value))}")


def _no_section(name: str, inside: Sequence[str], found: str) -> Fault:
    such = f"such as {listed(f'{name}.{key}' for key in inside)}" if inside else "each with a name"
    remedy = "Choose tasks with task=[A,B]" if name == "tasks" else "Set its keys instead"
    return Fault(name, f"is a section of keys, {such}; {found}. {remedy}")


_GONE = object()


def _plain(config: DictConfig) -> Composed:
    chosen = cast(dict[str, Any], OmegaConf.to_container(config.hydra.runtime.choices))
    choices = {key: str(value) for key, value in chosen.items() if "/" not in key}
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    missing = sorted(OmegaConf.missing_keys(own))
    if missing:
        raise ConfigError([Fault(key, f"missing: give {key}=VALUE") for key in missing])
    values = resolved(own)
    if faults := list(_key_faults(values)):
        raise ConfigError(faults)
    if isinstance(values.get("task"), Mapping):
        raise ConfigError([Fault("task", "the chosen YAML file lacks its first line: # @package _global_")])
    return Composed(values, choices)


def _key_faults(value: Any, key: str = "") -> Iterator[Fault]:
    """A secret where the name of the variable that holds it belongs; it is not shown."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _key_faults(item, f"{key}.{name}" if key else str(name))
    elif key.endswith("key_env") and isinstance(value, str) and not is_variable(value):
        how = f"found {shortened_secret(value)}. If that is the key itself: export MY_KEY=..., then {key}=MY_KEY"
        yield Fault(key, f"must be the name of an environment variable, such as OPENAI_API_KEY; {how}")


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
            override = parsed(text)
        except ConfigError as bad:
            faults.extend(bad.faults)
            continue
        if override.key_or_group in known - taken:
            faults.append(
                Fault(override.key_or_group, f"nothing of this group is chosen here. Available: {_sections(primary)}")
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
    values = OmegaConf.to_container(base, resolve=False)
    keys = _dotted(values)
    for override in value_overrides:
        key = override.key_or_group
        if override.is_sweep_override():
            how = "add -m to sweep over them, or write [a,b] for a list"
            yield Fault(key, f"several values: {how}.{_quoting_hint(str(override.input_line))}")
        elif key in (known_sections := sections(primary)) and not isinstance(override.value(), Mapping):
            yield _no_section(key, known_sections[key], f"found {cut(repr(override.value()))}")
        elif not override.is_add() and not override.is_force_add() and key not in keys:
            yield Fault(key, f"unknown key. {_nearest(key, keys | known)}{_adding(primary, key, values)}".rstrip())


def _adding(primary: str, key: str, values: Any) -> str:
    """How a key is added, where the config takes other keys than those it has; not for a task that is not chosen."""
    section, _, rest = key.partition(".")
    task, _, leaf = rest.partition(".")
    is_of_task = section == "weights" or (section == "tasks" and bool(leaf))
    if (is_of_task and task not in (values.get("tasks") or {})) or not takes(primary, key, values):
        return ""
    return f" To add it: +{key}=..."


def _dotted(value: Any, prefix: str = "") -> set[str]:
    keys: set[str] = set()
    if isinstance(value, Mapping):
        for name, item in value.items():
            key = f"{prefix}.{name}" if prefix else str(name)
            keys |= {key} | _dotted(item, key)
    return keys


def _nearest(key: str, keys: set[str]) -> str:
    if word := field_word(key, keys):
        return word
    section, _, leaf = key.rpartition(".")
    siblings = {k.rpartition(".")[2]: k for k in sorted(keys) if k.rpartition(".")[0] == section}
    # By its last name: the rest, which all of a section share, would make any two keys of it look alike.
    if section in keys or not section:
        if (near := closest(leaf, siblings)) is not None:
            return (
                did_you_mean(key, [siblings[near]]) if looks_alike(leaf, near) else f"Did you mean '{siblings[near]}'?"
            )
    elif closest(key, keys) is not None:
        return did_you_mean(key, keys)
    # A leaf that exists elsewhere, such as lr for optim.lr.
    elsewhere = sorted(k for k in keys if k.rpartition(".")[2].lower() == leaf.lower())
    if elsewhere:
        return f"Did you mean '{elsewhere[0]}'?"
    return f"Available: {listed(siblings.values() if siblings else sorted(k for k in keys if '.' not in k))}."


def _quoting_hint(text: str) -> str:
    """The same override with its value in quotes inside quotes, which is what brackets, commas and spaces in it need."""
    key, _, value = text.partition("=")
    if not value or "'" in text or '"' in text:
        return ""
    return f"""\nIf the value is one text or expression, give it quotes inside the shell's: '{key}="{cut(value)}"'"""


def _first_paragraph(text: str) -> str:
    return re.split(r"\n\s*\n", text.strip())[0]


def quoted(text: str) -> str:
    """A text as a value in Hydra's grammar, which outside quotes reads `=` and commas as its own, and some words as no text."""
    if re.fullmatch(r"[a-z_][\w./+-]*", text, re.ASCII | re.IGNORECASE) and text.lower() not in _NO_TEXT:
        return text
    # Backslashes are plain but before a quote, where each needs another.
    escaped = re.sub(r'(\\*)("|$)', lambda found: 2 * found[1] + found[2].replace('"', '\\"'), text)
    return f'"{escaped}"'
