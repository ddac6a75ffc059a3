"""Shared fixtures: small threads, a cache of one's own, and the command run inside this process."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

# Two cores: many threads on tiny models wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

TINY = ("backbone=tiny", "data.max_length=256", "data.source=bundled", "train.progress=lines", "eval.bootstrap=20")
"""A run that takes a second or two."""


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def run(self) -> Path:
        """The folder on the last line of standard output."""
        return Path(self.out.strip().splitlines()[-1])


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Encoded rows, shared by the session: they are found by content."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def mtl(tmp_path, monkeypatch, capsys, cache):
    """Run `mtl WORDS...` in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTL_CACHE", str(cache))
    monkeypatch.delenv("MTL_OUTPUTS", raising=False)
    monkeypatch.delenv("MTL_CONFIGS", raising=False)

    def call(*words: str) -> Result:
        from mtl_cli.cli.app import main

        monkeypatch.setattr(sys, "argv", ["mtl", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as error:
            code = int(error.code or 0)
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call
