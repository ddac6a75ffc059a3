"""Run folders with files that are damaged, missing, or of another kind, for each command that reads one."""

from __future__ import annotations

import json
import os
import random as random_module
import shutil
from pathlib import Path
from typing import Any

from tests.fuzz import values
from tests.fuzz.case import Case, Stage
from tests.fuzz.commands import SEEDS
from tests.fuzz.configs import _dumped, _replace

_RESUME = next(words for words in SEEDS if "run.name=unfinished" in words)
_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("runs", "ls"), ("runs", "ls", "--pareto"), ("runs", "ls", "--json"), ("runs", "show", "outputs/x"),
    ("runs", "compare", "outputs/x", "--baseline", "outputs/unfinished"), ("eval", "run=outputs/x", "bootstrap=10"),
    ("eval", "run=outputs/x", "checkpoint=last", "bootstrap=10"),
    ("zeroshot", "--labels", "pos,neg", "--text", "a", "run=outputs/x"), ("affinity", "run=outputs/x"),
    ("affinity", "run=outputs/x", "source=metrics", "measure.kind=cosine"), _RESUME,
    (*_RESUME[:-4], "run.name=x", "run.if_exists=resume", *_RESUME[-3:]),
    (*_RESUME[:-4], "run.name=x", "run.if_exists=skip", *_RESUME[-3:]),
    ("zeroshot", "backbone=tiny", "--labels", "pos,neg", "--file", "gold.csv", "bootstrap=10", "out.name=z", "out.if_exists=resume", "-q"),
    ("zeroshot", "backbone=tiny", "--labels", "pos,neg", "--text", "a", "run=outputs/z"), ("eval", "run=outputs/z"),
    ("runs", "ls", "outputs/z"),
)  # fmt: skip


def case(stage: Stage) -> Case:
    """A damaged run folder and a command that reads it."""
    random = stage.random
    outputs = stage.place("outputs")
    words = random.choice(_COMMANDS)
    name = (
        "unfinished"
        if "run.name=unfinished" in words
        else "z"
        if any("z" in word.split("=")[-1].split("/") for word in words)
        else "x"
    )
    if "gold.csv" in words:
        stage.place("gold.csv")
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _damage(stage, outputs / name)
    return Case(words)


def _damage(stage: Stage, folder: Path) -> None:
    random = stage.random
    paths = sorted(p for p in folder.rglob("*"))
    if not paths:
        return
    path = random.choice(paths)
    if random.random() < 0.6:
        files = [p for p in paths if p.is_file()] or paths
        path = random.choice(files)
    way = random.randrange(10)
    if way == 0:
        _remove(path)
    elif way == 1:
        _remove(path)
        path.mkdir()
    elif way == 2:
        _remove(path)
        path.symlink_to(
            random.choice(
                (
                    path.name,
                    "..",
                    ".",
                    "/nonexistent",
                    folder / "config.yaml",
                    "/dev/null",
                    os.path.relpath(folder, path.parent),
                )
            )
        )
    elif way == 3 and path.is_file():
        path.write_bytes(
            random.choice(
                (
                    b"",
                    b"null",
                    b"[]",
                    b"{}",
                    b"1",
                    b'"a"',
                    b"\xff",
                    b"[" * 5000,
                    b"{\n",
                    b"a: &a [*a]",
                    b"NaN",
                    b"9" * 5000,
                    b"\n\n",
                )
            )
        )
    elif path.is_file():
        path.write_bytes(_changed(random, path))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _changed(random: random_module.Random, path: Path) -> bytes:
    """Another value in a tree, or other bytes."""
    import yaml

    content = path.read_bytes()
    if random.random() < 0.5:
        return values.damaged(random, content)
    try:
        if path.suffix == ".json":
            return _edited(random, json.loads(content), json.dumps)
        if path.suffix == ".yaml":
            return _edited(random, yaml.safe_load(content), _dumped)
        if path.suffix == ".jsonl":
            rows = content.splitlines(keepends=True)
            place = random.randrange(len(rows))
            rows[place] = _edited(random, json.loads(rows[place]), json.dumps) + b"\n"
            return b"".join(rows)
    except (ValueError, IndexError, UnicodeError, yaml.YAMLError):
        pass
    return values.damaged(random, content)


def _edited(random: random_module.Random, tree: Any, dump: Any) -> bytes:
    _replace(random, tree)
    return dump(tree).encode("utf-8", "surrogatepass")
