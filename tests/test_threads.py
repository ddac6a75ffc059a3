"""Threads that share a machine with other programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtl_cli.threads import SPINS, limit_spinning

AT_IMPORT_OF_TORCH = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("spins:", os.environ.get("GOMP_SPINCOUNT"))
            sys.stdout.flush()
            os._exit(0)
sys.meta_path.insert(0, Watch())
from mtl_cli.cli.app import main
main()
"""


def test_idle_threads_sleep_soon_unless_the_user_has_a_say_on_it():
    environment = {}
    limit_spinning(environment)
    assert environment == {"GOMP_SPINCOUNT": str(SPINS)}
    for name, value in (("GOMP_SPINCOUNT", "300000"), ("OMP_WAIT_POLICY", "ACTIVE")):
        environment = {name: value}
        limit_spinning(environment)
        assert environment == {name: value}


@pytest.mark.parametrize(
    "words",
    [
        ("train", "backbone=tiny", "task=rte"),
        ("train", "backbone=tiny", "task=rte", "-m", "seed=1,2"),
        ("check", "backbone=tiny", "task=rte"),
        ("zeroshot", "--labels", "a,b", "--text", "x"),
        ("doctor", "--labels", "a,b"),
    ],
    ids=lambda words: " ".join(words[:1] + words[3:4]),
)
def test_a_command_limits_spinning_before_it_imports_torch(tmp_path, words):
    inherited = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    result = subprocess.run(
        [sys.executable, "-c", AT_IMPORT_OF_TORCH, *words],
        cwd=tmp_path, env={**inherited, "MTL_CACHE": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.stdout == f"spins: {SPINS}\n", result.stderr


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="shows which OpenMP was loaded on Linux alone")
def test_the_openmp_of_torch_reads_it():
    code = "import torch; print(any('libgomp' in line for line in open('/proc/self/maps')))"
    environment = {**os.environ, "OMP_DISPLAY_ENV": "verbose"}
    limit_spinning(environment)
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    if result.stdout != "True\n":
        pytest.skip("this torch has another OpenMP, which does not spin by this variable")
    assert f"GOMP_SPINCOUNT = '{environment['GOMP_SPINCOUNT']}'" in result.stderr
