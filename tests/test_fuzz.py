"""A few cases of each kind, and that the oracle sees what it is there for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import configs, oracle
from tests.fuzz.case import Case

ROOT = Path(__file__).parents[1]


def test_two_hundred_cases_end_without_a_traceback():
    words = [sys.executable, "-m", "tests.fuzz", "--cases", "200", "--seed", "3"]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "200 cases, seed 3: 0 faults" in done.stdout


def test_every_group_has_options_to_try():
    assert {"task", "weighting", "sampler", "method", "backbone"} <= configs.OPTIONS.keys()
    assert all(configs.OPTIONS.values())


@pytest.mark.parametrize(
    ("words", "code", "out", "err", "broken"),
    [
        (["x"], 0, "", "warning", []),
        (["x"], 2, "", "mtl: x is unknown\n", []),
        (["x"], 2, "", "Error: no such option\n", []),
        (["runs"], 2, "", "Usage: mtl runs [OPTIONS] COMMAND\n", []),
        (["x"], 3, "", "mtl: x\n", ["exit code 3"]),
        (["x"], None, "", "mtl: x\n", ["exit code None"]),
        (["x"], 2, "", "", ["0 messages"]),
        (["x"], 2, "", "mtl: a\nmtl: b\n", ["2 messages"]),
        (["x"], 2, "half a table", "mtl: a\n", ["exit 2 with output"]),
        (["x"], 2, "", "mtl: " + "a" * 7000, ["long message"]),
        (["x" * 1500], 2, "", f"mtl: {'x' * 1500}: unknown key. To add it: {'x' * 1500}", ["echoed more than once"]),
        (["x"], 1, "", "Traceback (most recent call last):\n  a\nKeyError: 1\nmtl: a\n", ["traceback printed: mtl: a"]),
        (["x"], 0, "", f"key {oracle.SECRET}", ["secret printed"]),
    ],
)
def test_the_oracle_names_what_is_not_kept_to(words, code, out, err, broken):
    assert list(oracle._broken(Case(words), code, out, err)) == broken
