"""Features of `datasets` as JSON: the names that a data set gives to the classes of its columns, nested ones too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LISTS = ("Sequence", "List", "LargeList")


def class_names_of(features: Any) -> dict[str, tuple[str, ...]]:
    """Names of the classes by column, in the order of their ids.

    A member of a mapping is called `a.b` and an item of a list `a.0`, as `Row.column` has it.

    Args:
        features: as `Features.to_dict` gives them, or anything else that a stranger's file holds in their place.
    """
    try:
        return dict(_walk(features, "")) if isinstance(features, Mapping) else {}
    except RecursionError:
        return {}


def names_at(names: Mapping[str, tuple[str, ...]], column: str) -> tuple[str, ...]:
    """The class names of a column, empty if there are none; every item of a list has the same."""
    items = ".".join("0" if part.isdecimal() else part for part in column.split("."))
    return names.get(column) or names.get(items, ())


def _walk(node: Any, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(node, list):
        yield from (found for item in node[:1] for found in _walk(item, f"{path}.0"))
    elif not isinstance(node, Mapping):
        return
    elif node.get("_type") == "ClassLabel":
        if isinstance(node.get("names"), list):
            yield path, tuple(map(str, node["names"]))
    elif node.get("_type") in _LISTS and "feature" in node:
        yield from _walk_list(node["feature"], path)
    else:
        for name, member in node.items():
            yield from _walk(member, f"{path}.{name}" if path else str(name))


def _walk_list(feature: Any, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Items of a list; a list of mappings may also be stored as a mapping of lists."""
    yield from _walk(feature, f"{path}.0")
    if isinstance(feature, Mapping) and "_type" not in feature:
        yield from ((f"{inner}.0", names) for inner, names in _walk(feature, path))
