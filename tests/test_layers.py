"""Who may import whom at module top level. Inside function bodies all is free: so heavy rooms stay unloaded."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mtl_cli

PACKAGE = Path(mtl_cli.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
ROOT = "the package root"

# A room is the first folder or file below the package. Each may import itself and what is listed.
MAY_IMPORT = {
    ROOT: set(),
    "errors": set(),
    "hub": set(),
    "scratch": set(),
    "digest": set(),
    "signals": set(),
    "threads": set(),
    "expression": {"errors"},
    "redact": set(),
    "yaml_text": set(),
    "config": {"errors", "expression", "redact", "yaml_text", ROOT},
    "offline": {"digest", "errors", "config"},
    "tasks": {"digest", "errors", "hub"},
    "data": {"digest", "tasks", "errors", "expression", "scratch"},
    "model": {"digest", "tasks", "data", "errors", "hub", "offline"},
    "weighting": set(),
    "objectives": {"data", "model", "tasks", "errors"},
    "optim": {"errors"},
    "metrics": set(),
    "runs": {"digest", "errors", "config", "redact", "scratch", "yaml_text", ROOT},
    "analysis": {"runs", "config", "metrics", "errors", "redact"},
    "report": {"analysis", "runs", "config", "metrics", "errors", "redact"},
    "launch": {"signals", "errors", "threads"},
    "train": {"data", "model", "weighting", "optim", "metrics", "tasks", "errors", "threads"},
    "zeroshot": {"tasks", "data", "model", "metrics", "errors", "redact", "yaml_text"},
    "cli": {"errors", "config", "redact", "threads", ROOT},
}
MAY_IMPORT["assemble"] = MAY_IMPORT.keys() - {"cli", "launch"}
MAY_IMPORT["recipes"] = MAY_IMPORT.keys() - {"cli"}


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return ROOT if first == "__init__" else first


ROOMS = {room_of(path) for path in FILES}


def top_level(node: ast.AST, types: bool) -> Iterator[ast.stmt]:
    """All imports outside function bodies; those below `if TYPE_CHECKING` only with `types`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING" and not types:
            yield from top_level(ast.Module(child.orelse, []), types)
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from top_level(child, types)


def modules(statement: ast.stmt) -> list[str]:
    """Dotted names that an import may load: `from a import b` may load a.b."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    return [f"{statement.module}.{alias.name}" for alias in statement.names]


def rooms_imported(source: str, rooms: set[str], types: bool = True) -> set[str]:
    names = [name.split(".") for statement in top_level(ast.parse(source), types) for name in modules(statement)]
    ours = [parts[1:] for parts in names if parts[0] == "mtl_cli"]
    return {parts[0] if parts and parts[0] in rooms else ROOT for parts in ours}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_rooms_that_its_own_may_import(path):
    room = room_of(path)
    # cli uses every room inside its functions, so it may name their types; to all others a type is an import like any.
    found = rooms_imported(path.read_text(encoding="utf-8"), ROOMS, types=room != "cli")
    assert found - {room} <= MAY_IMPORT[room]


def test_imports_are_absolute():
    nodes = [(path, node) for path in FILES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    assert [(path.name, node.lineno) for path, node in nodes if isinstance(node, ast.ImportFrom) and node.level] == []


def test_the_table_has_no_circle():
    seen: list[str] = []

    def visit(room: str, above: tuple[str, ...]) -> None:
        assert room not in above, " -> ".join([*above, room])
        for other in MAY_IMPORT[room]:
            visit(other, (*above, room))
        seen.append(room)

    visit("recipes", ())
    visit("cli", ())
    assert set(seen) == MAY_IMPORT.keys()


def test_imports_in_classes_and_conditions_count_and_those_in_functions_do_not():
    source = """
import mtl_cli
if True:
    from mtl_cli.train.loop import Loop
class A:
    import mtl_cli.data.batch
    def f(self):
        import mtl_cli.cli.app
from mtl_cli import __version__, hub
if TYPE_CHECKING:
    from mtl_cli.runs import folder
else:
    import mtl_cli.optim.groups
"""
    run = {"train", "data", "hub", "optim", ROOT}
    assert rooms_imported(source, ROOMS, types=False) == run
    assert rooms_imported(source, ROOMS) == {*run, "runs"}


# Inside these rooms the folders are rooms of their own: each may import itself, files beside the folders, and what is listed.
INSIDE = {
    "zeroshot": {
        "labels": set(),
        "lexicon": set(),
        "decide": {"labels"},
        "scoring": {"decide", "labels"},
        "remote": {"scoring", "decide", "labels"},
        "engines": {"remote", "scoring", "decide", "labels"},
        "verbalizers": {"engines", "scoring", "decide", "labels", "lexicon"},
        "doctor": {"engines", "scoring", "decide", "labels", "lexicon"},
    },
    "recipes": {
        "train": {"asked", "blocks"},
        "zeroshot": {"train", "asked", "blocks"},
        "studies": {"train", "zeroshot", "asked", "blocks", "estimate", "evaluate"},
    },
}


def inner(dotted: str, room: str) -> str | None:
    """The folder or file of a room that a module is in."""
    parts = dotted.split(".")
    return parts[2] if parts[:2] == ["mtl_cli", room] and len(parts) > 2 else None


@pytest.mark.parametrize(("room", "folder"), [(room, folder) for room, table in INSIDE.items() for folder in table])
def test_a_folder_of_a_room_imports_only_what_it_may(room, folder):
    found = set()
    for path in (PACKAGE / room / folder).rglob("*.py"):
        for statement in top_level(ast.parse(path.read_text(encoding="utf-8")), types=True):
            found |= {inner(name, room) for name in modules(statement)}
    assert found - {None, folder} <= INSIDE[room][folder]


def test_every_folder_of_zeroshot_has_its_line():
    folders = {path.name for path in (PACKAGE / "zeroshot").iterdir() if (path / "__init__.py").exists()}
    assert folders == INSIDE["zeroshot"].keys()
