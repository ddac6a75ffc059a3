"""Plain values from YAML -> frozen dataclasses, with every fault reported at once by its dotted key.

A fixed node becomes a dataclass. An open family (backbone, sampler, ...) becomes a `Node`, a name with options; the
keyword-only arguments of the builder registered under that name are the options it takes (`bind`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, Union, runtime_checkable

from mtl_cli.config.registry import FAMILIES, resolve, resolve_target
from mtl_cli.errors import ConfigError, Fault, Suggestion, cut, did_you_mean, listed
from mtl_cli.expression import Expression
from mtl_cli.redact import as_written

T = TypeVar("T")


_HINTS = 50
"""Unknown names for which the closest known one is looked for; beyond, looking takes too long."""


class _Bad:
    """Marks a value that could not be converted; its fault is already recorded."""


BAD = _Bad()


@dataclass(frozen=True)
class Node:
    """One member of an open family, as the config names it."""

    name: str
    """Name in the registry, or `module.object` of the user's own builder (from `_target_`)."""
    options: Mapping[str, Any]
    """Options of the builder, still plain values."""


@runtime_checkable
class Checked(Protocol):
    """A config class with rules that reach beyond the type of one field."""

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong; keys are relative to this object."""


def convert(cls: type[T], value: object, faults: list[Fault], key: str = "") -> T | _Bad:
    """Convert a plain value to an instance of `cls`; append what is wrong to `faults`.

    Args:
        cls: a dataclass, `Node`, `Expression`, a builtin, `Literal`, a union, or a list, tuple or dict of these.
        value: what the YAML holds: dict, list, str, int, float, bool or None.
        faults: grows by one entry for each fault.
        key: dotted key of the value, for messages.

    Returns:
        The instance, or a marker if anything inside was wrong.
    """
    return _convert(cls, value, faults, key)


def convert_or_raise(cls: type[T], value: object) -> T:
    """Convert as `convert` does and raise `ConfigError` with all faults if there are any."""
    faults: list[Fault] = []
    result = convert(cls, value, faults)
    if faults or isinstance(result, _Bad):
        raise ConfigError(faults)
    return result


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key and name else key or name


def _convert(cls: Any, value: object, faults: list[Fault], key: str) -> Any:
    origin = typing.get_origin(cls)
    if cls is Any or cls is object:
        return value
    if origin in (Union, types.UnionType):
        return _union(cls, value, faults, key)
    if origin is Literal:
        return _literal(typing.get_args(cls), value, faults, key)
    if origin in (list, tuple):
        return _sequence(cls, origin, value, faults, key)
    if origin in (dict, Mapping):
        return _mapping(cls, value, faults, key)
    if cls is Node:
        return _node(value, faults, key)
    if cls is Expression:
        return _expression(value, faults, key)
    if dataclasses.is_dataclass(cls):
        return _dataclass(cls, value, faults, key)
    return _scalar(cls, value, faults, key)


def _shown(value: object) -> str:
    """A value for a message; what came from the environment as it was written."""
    value = as_written(value)
    return cut(repr(value)) if isinstance(value, str | int | float | bool) or value is None else type(value).__name__


_YAML_WORDS = "YAML does not read yes, no, on, off, true, false and null as text: put the word in quotes, such as 'no'"
_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Path: "a path",
}


def _is_number(value: object) -> bool:
    """Whether a value is a number that floating-point arithmetic can hold: Python's whole numbers have no end."""
    if isinstance(value, bool):
        return False
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= sys.float_info.max)


def _scalar(cls: Any, value: object, faults: list[Fault], key: str) -> Any:
    if cls is type(None) and value is None:
        return None
    is_number = _is_number(value)
    if cls is float and is_number and value == value:  # NaN passes every later comparison
        return float(typing.cast(float, value))
    if cls is int and is_number and float(typing.cast(float, value)).is_integer():
        return int(typing.cast(float, value))
    if cls is bool and isinstance(value, bool):
        return value
    if cls is str and isinstance(value, str):
        return value
    if cls is str and is_number:  # a label or a run name may look like a number
        return str(value)
    if cls is Path and isinstance(value, str):
        return Path(value)
    wanted = f"must be {_WORDS.get(cls, getattr(cls, '__name__', cls))}"
    faults.append(_unfit(key, wanted, value, _unquoted(cls, value)))
    return BAD


def _unfit(key: str, wanted: str, value: object, remedy: str = "") -> Fault:
    return Fault(key, f"{wanted}; found {_shown(value)}{remedy}", wanted)


def _unquoted(cls: Any, value: object) -> str:
    """What to do where a text was meant and YAML read a word of its own."""
    if cls is not str or not (value is None or isinstance(value, bool)):
        return ""
    return f". {_YAML_WORDS}"


def _literal(choices: tuple[Any, ...], value: object, faults: list[Fault], key: str) -> Any:
    for choice in choices:
        if choice == value and type(choice) is type(value):
            return choice
    names = ", ".join(map(repr, choices))
    texts = [choice for choice in choices if isinstance(choice, str)]
    hint = Suggestion.of(value, texts).if_close if isinstance(value, str) else ""
    problem = f"{_shown(value)} is not one of {names}. {hint}".rstrip()
    faults.append(Fault(key, problem, wanted=f"one of {names}", suggestion=hint))
    return BAD


def _union(cls: Any, value: object, faults: list[Fault], key: str) -> Any:
    members = typing.get_args(cls)
    if value is None and type(None) in members:
        return None
    if isinstance(value, str) and Expression in members and str not in members:
        return _expression(value, faults, key)  # what is wrong with it says more than that it is no number
    tried: list[list[Fault]] = []
    # An exact type first, so that 3 in `int | str` stays a number.
    for member in sorted(members, key=lambda m: not (isinstance(m, type) and type(value) is m)):
        own: list[Fault] = []
        result = _convert(member, value, own, key)
        if not own:
            return result
        if member is not type(None):
            tried.append(own)
    nested = [own for own in tried if any(fault.key != key for fault in own)]
    if len(tried) == 1 or nested:
        faults.extend((nested or tried)[0])
    else:
        hint = next((own[0].suggestion for own in tried if own[0].suggestion), "")
        remedy = f". {hint}" if hint else _unquoted(str if str in members else None, value)
        wanted = " or ".join(own[0].wanted or own[0].problem for own in tried)
        faults.append(_unfit(key, wanted, value, remedy))
    return BAD


def _sequence(cls: Any, origin: Any, value: object, faults: list[Fault], key: str) -> Any:
    args = typing.get_args(cls)
    if not isinstance(value, list | tuple):
        faults.append(_unfit(key, "must be a list, such as [a,b]", value))
        return BAD
    if origin is tuple and args[-1] is not Ellipsis:
        if len(value) != len(args):
            wanted = f"must have {len(args)} entries"
            faults.append(Fault(key, f"{wanted}; found {len(value)}", wanted))
            return BAD
        members: tuple[Any, ...] = args
    else:
        members = (args[0],) * len(value)
    items = [
        _convert(member, item, faults, f"{key}[{i}]")
        for i, (member, item) in enumerate(zip(members, value, strict=True))
    ]
    return BAD if any(item is BAD for item in items) else origin(items)


def _mapping(cls: Any, value: object, faults: list[Fault], key: str) -> Any:
    member = typing.get_args(cls)[1]
    if not isinstance(value, Mapping):
        faults.append(_unfit(key, "must be a mapping, such as {a: 1}", value))
        return BAD
    for name in value:
        if name is None or isinstance(name, bool):
            faults.append(Fault(key, f"a name in it is {_shown(name)}. {_YAML_WORDS}"))
    items = {str(name): _convert(member, item, faults, _join(key, str(name))) for name, item in value.items()}
    return BAD if any(item is BAD for item in items.values()) else items


def _node(value: object, faults: list[Fault], key: str) -> Any:
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping):
        faults.append(_unfit(key, "must be a mapping with a 'name'", value))
        return BAD
    name = value.get("_target_", value.get("name"))
    if not isinstance(name, str):
        faults.append(Fault(_join(key, "name"), "missing" if name is None else f"must be a text; found {_shown(name)}"))
        return BAD
    return Node(name, {str(k): v for k, v in value.items() if k not in ("name", "_target_")})


def _expression(value: object, faults: list[Fault], key: str) -> Any:
    if not isinstance(value, str):
        faults.append(_unfit(key, "must be an expression such as 'min(1, step/500)'", value))
        return BAD
    try:
        return Expression(value)
    except ValueError as error:
        faults.append(Fault(key, str(error)))
        return BAD


def _dataclass(cls: Any, value: object, faults: list[Fault], key: str) -> Any:
    if not isinstance(value, Mapping):
        names = ", ".join(f.name for f in dataclasses.fields(cls))
        faults.append(_unfit(key, f"must be a mapping with {names}", value))
        return BAD
    hints = typing.get_type_hints(cls)
    required = {
        f.name
        for f in dataclasses.fields(cls)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    before = len(faults)
    fields = {f.name: hints[f.name] for f in dataclasses.fields(cls)}
    found = _fields(fields, required, value, faults, key, renamed=getattr(cls, "RENAMED", None))
    faults.extend(fault.with_prefix(key) for fault in _rule_faults(cls, found))
    return BAD if len(faults) > before else cls(**found)


def _rule_faults(cls: Any, found: Mapping[str, Any]) -> Iterator[Fault]:
    """What a class's own rules say of the fields that could be converted, so that one bad field hides no other fault."""
    partial = object.__new__(cls)
    for name, value in found.items():
        object.__setattr__(partial, name, value)
    if isinstance(partial, Checked):
        # A rule about a field that is not there has nothing to say.
        with contextlib.suppress(AttributeError):
            yield from partial.faults()


def _fields(
    hints: Mapping[str, Any],
    required: set[str],
    value: Mapping[Any, Any],
    faults: list[Fault],
    key: str,
    whose: str = "",
    renamed: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Convert the members of a mapping by name, those that can be; unknown and missing names are faults.

    `renamed` says what has become of names that were known once.
    """
    unknown = [name for name in value if name not in hints]
    for number, name in enumerate(unknown):
        takes = f" {whose} takes: {listed(hints) or 'no options'}." if whose else ""
        hint = did_you_mean(str(name), hints) if number < _HINTS else ""
        shown = hint if hint.startswith("Did") or not whose else ""
        said = (renamed or {}).get(str(name)) or f"unknown key. {shown}".rstrip() + takes
        faults.append(Fault(_join(key, str(name)), said))
    faults.extend(Fault(_join(key, name), "missing") for name in hints if name in required and name not in value)
    result = {n: _convert(hints[n], value[n], faults, _join(key, n)) for n in hints if n in value}
    return {name: item for name, item in result.items() if item is not BAD}


@dataclass(frozen=True)
class Builder:
    """A builder with checked options: `build(*runtime)` makes the object."""

    key: str
    name: str
    builder: Callable[..., Any]
    options: Mapping[str, Any]

    def build(self, *runtime: object) -> Any:
        """Call the builder with what only the running program knows (sizes, tasks, ...) before its options.

        Raises:
            ConfigError: the builder refused a value with `ValueError`, or does not take what this family's builders are given.
        """
        try:
            inspect.signature(self.builder).bind(*runtime, **self.options)
        except TypeError as error:
            given = f"{len(runtime)} positional arguments and its options"
            problem = f"'{self.name}' cannot be called with {given}: {error}"
            raise ConfigError([Fault(self.key, problem)]) from error
        try:
            return self.builder(*runtime, **self.options)
        except ValueError as error:
            raise ConfigError([Fault(self.key, str(error))]) from error


def bind(family: str, node: Node, faults: list[Fault], key: str) -> Builder | None:
    """Find a node's builder and check its options against the builder's keyword-only arguments, without calling it.

    Args:
        family: a family of `registry.FAMILIES`, such as "sampler".
        node: what the config says.
        faults: grows by one entry for each fault.
        key: dotted key of the node.

    Returns:
        The bound builder, or None if anything was wrong.
    """
    if "." in node.name:
        builder = resolve_target(node.name, faults, key)
    elif node.name in FAMILIES[family]:
        builder = resolve(family, node.name)
    else:
        faults.append(
            Fault(_join(key, "name"), f"unknown {family} '{node.name}'. {did_you_mean(node.name, FAMILIES[family])}")
        )
        return None
    if builder is None:
        return None
    try:
        parameters = inspect.signature(builder).parameters.values()
    except ValueError:  # some of what is written in C
        problem = f"'{node.name}' does not say which arguments it takes. Name a function or class written in Python."
        faults.append(Fault(_join(key, "_target_"), problem))
        return None
    keyword = [p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    target = builder.__init__ if inspect.isclass(builder) else builder
    hints = typing.get_type_hints(target)
    required = {p.name for p in keyword if p.default is inspect.Parameter.empty}
    whose = f"{family} '{node.name}'"
    before = len(faults)
    options = _fields({p.name: hints.get(p.name, Any) for p in keyword}, required, node.options, faults, key, whose)
    return None if len(faults) > before else Builder(key, node.name, builder, options)
