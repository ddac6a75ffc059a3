"""An attribute is born in `__init__`, or stands in the class: what an object may hold can be read in one place."""

import ast
from pathlib import Path

import pytest

import mtl_cli

FILES = sorted(path for path in Path(mtl_cli.__file__).parent.rglob("*.py") if "__pycache__" not in path.parts)
CLASSES = {
    node.name: node for path in FILES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ClassDef)
}  # fmt: skip


def set_in(function):
    """Attributes of self that a function sets."""
    for node in ast.walk(function):
        stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if stored and isinstance(node.value, ast.Name) and node.value.id == "self":
            yield node.attr


def born(node):
    """Attributes of a class and of its bases in this package."""
    found = {t.target.id for t in node.body if isinstance(t, ast.AnnAssign) and isinstance(t.target, ast.Name)}
    found |= {t.id for one in node.body if isinstance(one, ast.Assign) for t in one.targets if isinstance(t, ast.Name)}
    for function in (one for one in node.body if isinstance(one, ast.FunctionDef)):
        found.add(function.name)
        if function.name in ("__init__", "__new__"):
            found |= set(set_in(function))
    for base in node.bases:
        name = base.id if isinstance(base, ast.Name) else None
        if name in CLASSES and CLASSES[name] is not node:
            found |= born(CLASSES[name])
    return found


def late(source):
    """(class, attribute) of attributes that are set first outside `__init__`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            known = born(node)
            for function in (one for one in node.body if isinstance(one, ast.FunctionDef)):
                yield from ((node.name, attribute) for attribute in set_in(function) if attribute not in known)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FILES[0].parent).as_posix())
def test_no_attribute_is_born_outside_init(path):
    assert list(late(path.read_text(encoding="utf-8"))) == []


def test_one_that_is_would_be_found():
    source = "class A:\n    b = 1\n    def __init__(self):\n        self.c = 1\n    def f(self):\n        self.b = self.c = self.d = 2\n"
    assert list(late(source)) == [("A", "d")]
