"""What there is to choose from, read from files alone: no builder is imported, nothing is composed."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_cli.config.paths import config_dir
from mtl_cli.config.registry import FAMILIES


@dataclass(frozen=True)
class Option:
    """One member of a group."""

    name: str
    about: str


def _folders(user: Sequence[Path]) -> list[Path]:
    return [config_dir(), *user]


def groups(user: Sequence[Path]) -> list[str]:
    """Config groups, then families that are named inside a task's config (kind, metric)."""
    holding = {path.parent.name for folder in _folders(user) for path in folder.glob("*/*.yaml")}
    found = {name for name in holding if not name.startswith(".")}  # .github may hold YAML too
    return sorted(found) + sorted(f for f in FAMILIES if f not in found)


def listed(group: str, user: Sequence[Path]) -> list[Option]:
    """Options of a group with one line each: what stands behind the command in the first comment of the YAML."""
    # Of two files with one name Hydra takes the first folder's, so here that comes last.
    found = {
        path.stem: Option(path.stem, _about(path))
        for folder in reversed(_folders(user)) for path in sorted((folder / group).glob("*.yaml"))
    }  # fmt: skip
    if not found:
        found = {name: Option(name, _first_line(target)) for name, target in FAMILIES[group].items()}
    return [found[name] for name in sorted(found)]


def _about(path: Path) -> str:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# @package"):
            continue
        if not line.startswith("#"):
            break
        return line.lstrip("# ").partition("    ")[2].strip() or line.lstrip("# ")
    return ""


def _first_line(target: str) -> str:
    """First line of the docstring of a builder, without importing it."""
    module, _, name = target.partition(":")
    # The package itself is imported by this module already; finding a module inside imports its parents, which are all but empty.
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").split("\n")[0]
    return ""
