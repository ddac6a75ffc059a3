"""The topics of `mtl help`: Markdown files, with tables and configs that are read from what is shipped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mtl_cli
from mtl_cli.config.paths import config_dir

if TYPE_CHECKING:
    from mtl_cli.config.listing import Option

TOPIC_OF_COMMAND = {
    name: name for name in ("train", "eval", "zeroshot", "doctor", "transfer", "affinity", "check", "runs", "offline")
} | {"ls": "config", "help": "help"}
"""The topic that a command's `--help` names."""

_MARK = re.compile(r"^<!-- (options|file): ([\w.]+) -->$", re.MULTILINE)
"""Stands in a topic for the table of a group's options, or for a shipped config."""
_ENTRY = re.compile(r"( *)(\w+): *(?!#)(.*?)(?:\s+#.*)?")
"""A line of a shipped YAML: indentation, key and value, without the comment."""


@dataclass(frozen=True)
class Topic:
    """One page of help."""

    name: str
    about: str
    """One line, from the heading."""


def folder() -> Path:
    """Where the pages are."""
    return Path(mtl_cli.__file__).resolve().parent / "help"


def all_topics() -> list[Topic]:
    """Every page, by name."""
    return [_topic(path) for path in sorted(folder().glob("*.md"))]


def _topic(path: Path) -> Topic:
    with path.open(encoding="utf-8") as stream:
        name, _, about = stream.readline().removeprefix("# ").strip().partition(": ")
    return Topic(name, about)


def markdown(name: str, user: Sequence[Path] = ()) -> str:
    """A page with its tables, as Markdown; the plural of a name will do.

    Raises:
        ConfigError: there is no such page.
    """
    names = [topic.name for topic in all_topics()]
    found = next((known for known in (name, name.removesuffix("s")) if known in names), None)
    if found is None:
        from mtl_cli.errors import ConfigError, did_you_mean

        raise ConfigError(f"unknown topic '{name}'. {did_you_mean(name, names)} `mtl help` lists all.")
    text = (folder() / f"{found}.md").read_text(encoding="utf-8")
    return _MARK.sub(lambda mark: _PARTS[mark[1]](mark[2], user), text)


def _options(group: str, user: Sequence[Path]) -> str:
    """A row per option of a group: its name, what it is, and its keys with their defaults."""
    from mtl_cli.config.listing import listed
    from mtl_cli.config.registry import EXTRAS

    rows = []
    for option in listed(group, user):
        extra = EXTRAS.get((group, option.name))
        about = f"{option.about} (pip install 'mtl-cli[{extra.name}]')" if extra else option.about
        rows.append([f"`{option.name}`", about, _settings(group, option, user)])
    heads = ["option", "what it is", "keys and defaults"]
    return _table([heads, *rows] if any(row[2] for row in rows) else [heads[:2], *(row[:2] for row in rows)])


def _settings(group: str, option: Option, user: Sequence[Path]) -> str:
    """`a=1, b=2`: the keys of an option with one value each; tasks and files that only choose others have none."""
    paths = [base / group / f"{option.name}.yaml" for base in (config_dir(), *user)]
    path = next((path for path in paths if path.is_file()), None)
    if path is None or group == "task":
        return ""
    lines = path.read_text(encoding="utf-8").splitlines()
    depth = "" if "# @package _global_" not in lines else "  "
    if depth:  # the option's own keys stand below the group's name
        lines = lines[lines.index(f"{group}:") + 1 :] if f"{group}:" in lines else []
    entries = [found for line in lines if (found := _ENTRY.fullmatch(line))]
    return ", ".join(
        f"`{key}={value}`" for indent, key, value in (e.groups() for e in entries)
        if indent == depth and value and key not in ("name", "_target_")
    )  # fmt: skip


def _table(rows: list[list[str]]) -> str:
    """A Markdown table whose columns also line up as plain text; the last one is not padded."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    *widths, _ = (max(map(len, column)) for column in zip(*cells, strict=True))
    cells.insert(1, ["-" * width for width in (*widths, 3)])
    lines = [[cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)] for row in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _file(name: str, _: Sequence[Path]) -> str:
    """A shipped config with its comments."""
    return f"```yaml\n{(config_dir() / name).read_text(encoding='utf-8').rstrip()}\n```"


_PARTS = {"options": _options, "file": _file}
