"""What a case is, and the folder in which it runs."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CHEAP = (
    "backbone=tiny", "data.source=bundled", "train.progress=none", "train.steps=1", "eval.limit=8",
    "eval.bootstrap=10",
)  # fmt: skip
"""A training run of less than a second."""


@dataclass(frozen=True)
class Case:
    """A command line with what it reads."""

    words: Sequence[str]
    stdin: bytes = b""
    check: Callable[[], None] | None = None
    """Instead of the command: what is called."""


@dataclass(frozen=True)
class Stage:
    """What a generator works with."""

    random: random.Random
    folder: Path
    """The case's folder, and its working directory."""
    shelf: Path
    """Valid files and run folders, made once; never written to."""
    placed: set[str] = field(default_factory=set)

    def place(self, name: str) -> Path:
        """A copy of something on the shelf, in the case's folder."""
        source, target = self.shelf / name, self.folder / name
        if name not in self.placed:
            self.placed.add(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True)
            else:
                shutil.copy(source, target)
        return target

    def write(self, name: str, content: bytes | str) -> Path:
        """A file in the case's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
        return path
