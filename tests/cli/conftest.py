"""A trained run that several files look at, and the command for fixtures that live longer than a test."""

import contextlib
import io
import sys
from pathlib import Path

import pytest

from tests.conftest import TINY, Result


def command(folder: Path, cache: Path, *words: str) -> Result:
    """Run `mtl WORDS...` in a folder, as the fixture `mtl` does it."""
    from mtl_cli.cli.app import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(folder)
        patch.setenv("MTL_CACHE", str(cache))
        patch.delenv("MTL_OUTPUTS", raising=False)
        patch.setattr(sys, "argv", ["mtl", *map(str, words)])
        try:
            main()
        except SystemExit as error:
            code = int(error.code or 0)
    return Result(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def trained(tmp_path_factory, cache):
    """Two heads with the same labels (rte, qnli), one with others, one for numbers."""
    folder = tmp_path_factory.mktemp("trained")
    words = ("task=[rte,qnli,sst2,stsb]", "train.steps=4", "eval.every=2", "checkpoint.keep=3", "run.name=one")
    result = command(folder, cache, "train", *TINY, *words)
    assert result.code == 0, result.err
    return folder / "outputs/one"
