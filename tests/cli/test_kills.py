"""Commands that are killed before a file event and resumed equal those that were not; all events: python -m tests.kills."""

import subprocess
import sys

COMMANDS = ("train", "eval", "zeroshot", "affinity")


def test_killed_commands_resume_to_the_same_result():
    words = [word for name in COMMANDS for word in ("--command", name)]
    result = subprocess.run(
        [sys.executable, "-m", "tests.kills", *words, "--sample", "2", "--seed", "4"],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("2 killed, 2 equal") == len(COMMANDS)
