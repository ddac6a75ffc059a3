"""Limits on YAML of unknown origin: what a short file may grow to, and how deep it may go."""

from __future__ import annotations

from typing import Any

import yaml

DEPTH = 64
"""Mappings and lists inside one another."""
NODES = 100_000
"""Values once every alias stands for what its anchor names; ten lines of ten aliases each would make ten billion."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Builds plain values alone, never Python objects. The one in C reads ten times as fast; not every build of PyYAML has it."""


def load_yaml(text: str) -> Any:
    """Plain values of a YAML text.

    Raises:
        ValueError: it is no YAML, names a Python object, or goes beyond the limits; the message says where.
    """
    try:
        check_size(text)
        return yaml.load(text, Loader=LOADER)
    except yaml.YAMLError as error:
        raise ValueError(problem_of(error)) from error
    except RecursionError as error:
        raise ValueError(f"it is nested deeper than {DEPTH} levels") from error


def problem_of(error: yaml.YAMLError) -> str:
    """One line on what a YAML reader says, with the line of the file."""
    text = str(getattr(error, "problem", None) or str(error).splitlines()[0])
    mark = getattr(error, "problem_mark", None)
    return f"{text} (line {mark.line + 1})" if mark is not None else text


def check_size(text: str) -> None:
    """Raise `ValueError` if a YAML text is nested too deep, or its aliases stand for too much. Takes time linear in the text.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    sizes: dict[str, int] = {}
    total = 0
    open_nodes: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            total += 1
            if len(open_nodes) > DEPTH:
                raise ValueError(f"it is nested deeper than {DEPTH} levels (line {event.start_mark.line + 1})")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            # An alias inside its own anchor has no size yet: such a value holds itself.
            total += sizes.get(event.anchor, NODES if any(a == event.anchor for a, _ in open_nodes) else 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
        if total > NODES:
            raise ValueError(f"it holds more than {NODES:,} values, each alias (*name) counted as what it stands for")
