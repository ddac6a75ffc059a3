"""Commands that are killed before a file event and resumed equal those that were not; all events: python -m tests.kills."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("name", "sample"), [("train", 5), ("eval", 2), ("zeroshot", 2), ("affinity", 2), ("sweep", 2)]
)
def test_a_killed_command_resumes_to_the_same_result(name, sample):
    words = ["--command", name, "--sample", str(sample), "--seed", "4", "--twice", "0.5"]
    result = subprocess.run(
        [sys.executable, "-m", "tests.kills", *words], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{sample} killed, {sample} equal" in result.stdout
