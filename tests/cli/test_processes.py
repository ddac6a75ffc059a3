"""Two data-parallel processes on the CPU do what one does."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import TINY


@pytest.mark.slow
@pytest.mark.parametrize("how", [(), ("weighting=pcgrad", "sampler=all_tasks"), ("weighting=uncertainty",)], ids=str)
def test_two_processes_train_as_one(tmp_path, cache, how):
    from safetensors.torch import load_file

    words = [
        *TINY,
        "backbone.dropout=0",
        "sharing.head_dropout=0",
        "task=[rte,sst2,stsb]",
        "batch.size=7",
        "train.steps=6",
        "eval.every=3",
        "diagnostics.every=2",
        *how,
    ]
    runs = []
    for devices in (1, 2):
        shown = subprocess.run(
            [sys.executable, "-m", "mtl_cli.cli.app", "train", *words, f"fabric.devices={devices}", f"run.name=p{devices}"],
            cwd=tmp_path, env={**os.environ, "MTL_CACHE": str(cache)}, capture_output=True, text=True,
        )  # fmt: skip
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout == f"outputs/p{devices}\n"
        runs.append(tmp_path / f"outputs/p{devices}")
    one, two = (load_file(run / "checkpoints/last/encoder/model.safetensors") for run in runs)
    for name in one:
        assert (one[name] - two[name]).abs().max() < 2e-5, name
    scores = [json.loads((run / "summary.json").read_text())["mean"] for run in runs]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)
