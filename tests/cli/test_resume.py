"""A resumed run equals an uninterrupted one, bit for bit, wherever it was stopped."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import command
from tests.conftest import TINY

WORDS = (
    *TINY,
    "task=[rte,sst2,stsb]",
    "train.steps=24",
    "eval.every=8",
    "checkpoint.every=5",
    "train.log_every=3",
    "batch.window=4",
)


def start(folder, cache, name, *more, **environment):
    words = ["train", *WORDS, f"run.name={name}", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "mtl_cli.cli.app", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "MTL_CACHE": str(cache), "MTL_OUTPUTS": "outputs", **environment},
    )  # fmt: skip


def wait_for(path, process, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, "it did not come"
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def content(run):
    """Records without clocks, and the bytes of the last weights."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    records = [{k: v for k, v in record.items() if k != "speed"} for record in lines]
    last = run / "checkpoints/last"
    return records, (last / "encoder/model.safetensors").read_bytes(), (last / "heads.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache):
    folder = tmp_path_factory.mktemp("whole")
    process = start(folder, cache, "whole")
    _, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    return content(folder / "outputs/whole")


def resume(folder, cache, name, *more):
    process = start(folder, cache, name, "run.if_exists=resume", *more)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    assert out == f"outputs/{name}\n"
    return err


def test_killed_without_warning_then_resumed(tmp_path, cache, whole):
    process = start(tmp_path, cache, "killed")
    wait_for(tmp_path / "outputs/killed/checkpoints/step_000010", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert "resume   from step_0000" in resume(tmp_path, cache, "killed")
    assert content(tmp_path / "outputs/killed") == whole


def test_killed_before_the_first_checkpoint_starts_again(tmp_path, cache, whole):
    process = start(tmp_path, cache, "early")
    wait_for(tmp_path / "outputs/early/metrics.jsonl", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    resume(tmp_path, cache, "early")
    assert content(tmp_path / "outputs/early") == whole


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_told_to_stop_saves_first_and_goes_on_from_that_very_step(tmp_path, cache, whole, number, code):
    process = start(tmp_path, cache, "told")
    wait_for(tmp_path / "outputs/told/checkpoints/step_000005", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    assert "state saved. To go on: mtl train backbone=tiny" in err
    assert "run.name=told run.if_exists=resume" in err
    resume(tmp_path, cache, "told")
    assert content(tmp_path / "outputs/told") == whole


def test_the_command_that_a_stopped_run_gives_goes_on_with_it_whatever_its_name(tmp_path, cache, whole):
    process = start(tmp_path, cache, '"of a sweep/optim.lr=1e-4,seed=1"')
    run = tmp_path / "outputs/of a sweep/optim.lr=1e-4,seed=1"
    wait_for(run / "checkpoints/step_000005", process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    words = shlex.split(err.rpartition("To go on: mtl ")[2])
    again = command(tmp_path, cache, *words)
    assert again.code == 0, again.err
    assert content(run) == whole


def test_a_half_written_checkpoint_is_passed_over_and_said_so(tmp_path, cache, whole):
    process = start(tmp_path, cache, "half", "checkpoint.keep=5")
    wait_for(tmp_path / "outputs/half/checkpoints/step_000010", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    newest = sorted((tmp_path / "outputs/half/checkpoints").glob("step_*"))[-1]
    training = newest / "training.safetensors"
    training.write_bytes(training.read_bytes()[:-100])
    err = resume(tmp_path, cache, "half", "checkpoint.keep=5")
    assert f"{newest.name} is damaged: training.safetensors has" in err
    assert "Passed over for the one before it." in err
    assert content(tmp_path / "outputs/half") == whole


def test_another_config_at_resume_says_what_differs(mtl):
    mtl("train", *TINY, "task=rte", "train.steps=1", "run.name=x")
    result = mtl("train", *TINY, "task=rte", "train.steps=2", "optim.lr=0.5", "run.name=x", "run.if_exists=resume")
    assert result.code == 2
    assert "cannot resume outputs/x: it was started from a different config" in result.err
    assert "train.steps: the run has 1, asked is 2" in result.err
    assert "optim.lr: the run has 0.0001, asked is 0.5" in result.err


def test_other_data_at_resume_is_refused(mtl, tmp_path):
    folder = tmp_path / "data/rte"
    folder.mkdir(parents=True)

    def write(word):
        rows = "".join(
            json.dumps({"sentence1": f"{word} {i}", "sentence2": "b", "label": i % 2}) + "\n" for i in range(8)
        )
        for name in ("train", "validation"):
            (folder / f"{name}.jsonl").write_text(rows)

    words = [*TINY, "data.source=local", f"data.root={tmp_path}/data", "task=rte", "train.steps=1", "run.name=x"]
    write("one")
    assert mtl("train", *words).code == 0
    (tmp_path / "outputs/x/summary.json").unlink()
    write("two")
    result = mtl("train", *words, "run.if_exists=resume")
    assert result.code == 2
    assert "the rows of rte.train, rte.validation are not those that it was started with" in result.err


def test_a_run_in_use_by_another_process_is_refused(tmp_path, cache, mtl):
    process = start(tmp_path, cache, "busy", "train.steps=100000")
    try:
        wait_for(tmp_path / "outputs/busy/metrics.jsonl", process)
        result = mtl("train", *WORDS, "run.name=busy", "run.if_exists=resume")
        assert result.code == 1
        assert f"is in use by process {process.pid}" in result.err
    finally:
        process.kill()
        process.communicate()
