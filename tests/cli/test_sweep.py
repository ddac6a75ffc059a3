"""`mtl train -m`: every combination, one after another; what is wrong is told before, what fails stops nothing."""

import itertools
import json
import os
import subprocess
import sys
import time

import pytest
import yaml

from mtl_cli.errors import Interrupted, RunError
from tests.cli.conftest import command
from tests.conftest import TINY

WORDS = ("train", "-m", *TINY, "task=rte", "eval.every=end", "schedule=constant", "optim.clip_norm=null")


@pytest.fixture(scope="module")
def swept(tmp_path_factory, cache):
    """A sweep whose first point fails, asked for twice."""
    folder = tmp_path_factory.mktemp("sweep")
    words = (*WORDS, "train.steps=3", "optim.lr=1e30,1e-4", "run.name=sw")
    first = command(folder, cache, *words)
    stamp = (folder / "outputs/sw/optim.lr=0.0001/summary.json").stat().st_mtime_ns
    return folder / "outputs/sw", first, stamp, command(folder, cache, *words)


@pytest.fixture
def points(monkeypatch):
    """Record the points instead of training them; `fails` says what is raised at which."""
    seen, fails = [], {}

    def train(asked):
        seen.append(asked)
        if len(seen) in fails:
            raise fails[len(seen)]

    monkeypatch.setattr("mtl_cli.recipes.studies.sweep.train", train)
    return seen, fails


def test_a_point_that_fails_stops_no_other_and_the_exit_code_is_1(swept):
    folder, first, _, _ = swept
    assert first.code == 1
    assert "point optim.lr=1e+30 failed: step" in first.err
    assert "1 of 2 points failed: optim.lr=1e+30. The others are done" in first.err
    assert (folder / "optim.lr=0.0001/summary.json").is_file()
    assert not (folder / "optim.lr=1e+30/summary.json").exists()


def test_standard_output_is_the_sweeps_folder_alone(swept):
    _, first, _, second = swept
    assert first.out == second.out == "outputs/sw\n"


def test_the_points_stand_in_a_table_on_standard_error(swept):
    _, first, _, _ = swept
    lines = [line.split() for line in first.err.splitlines() if line.startswith(("run ", "optim.lr="))]
    assert lines[0][:4] == ["run", "status", "optim.lr", "steps"]
    assert lines[0][-1] == "front"
    assert lines[1][:4] == ["optim.lr=0.0001", "done", "0.0001", "3"]
    assert lines[1][-3:] == ["*", "best", "mean"]
    assert lines[2][:4] == ["optim.lr=1e+30", "failed", "1e+30", "-"]
    assert "*" not in lines[2]


def test_asked_again_finished_points_are_left_alone_and_failed_ones_tried_again(swept):
    folder, _, stamp, second = swept
    assert (folder / "optim.lr=0.0001/summary.json").stat().st_mtime_ns == stamp
    assert "outputs/sw/optim.lr=0.0001 is finished: nothing to do" in second.err
    assert "point optim.lr=1e+30 failed" in second.err
    assert second.code == 1


def test_the_sweep_and_each_point_record_what_was_asked(swept):
    folder, _, _, _ = swept
    listed = json.loads((folder / "sweep.json").read_text())
    assert [one["run"] for one in listed] == ["sw/optim.lr=1e+30", "sw/optim.lr=0.0001"]
    assert [next(o for o in one["overrides"] if "lr=" in o) for one in listed] == ["optim.lr=1e+30", "optim.lr=0.0001"]
    config = yaml.safe_load((folder / "optim.lr=0.0001/config.yaml").read_text())
    assert (config["optim"]["lr"], config["run"]["name"]) == (1e-4, "sw/optim.lr=0.0001")


SMALL = (*TINY, "task=[rte,sst2]", "train.steps=6", "eval.every=3", "batch.size=8")
VALUES = ("0.5", "2")


@pytest.fixture(scope="module")
def alone(tmp_path_factory, cache):
    """Runs of their own, each in a process of its own."""
    folder = tmp_path_factory.mktemp("alone")
    for value in VALUES:
        process(folder, cache, "train", *SMALL, f"weights.rte={value}", f"run.name={value}")
    return [content(folder / f"outputs/{value}") for value in VALUES]


def process(folder, cache, *words):
    shown = subprocess.run(
        [sys.executable, "-m", "mtl_cli.cli.app", *words], cwd=folder, env={**os.environ, "MTL_CACHE": str(cache)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    return shown


def content(run):
    """What a run came to, without clocks: records, predictions, weights."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    files = sorted(
        [*run.glob("predictions/*"), *run.glob("checkpoints/*/*.safetensors"), *run.glob("checkpoints/*/*/*")]
    )
    found = {str(path.relative_to(run)): path.read_bytes() for path in files}
    assert len(found) > 5
    return [{k: v for k, v in record.items() if k != "speed"} for record in records], found


def test_a_point_equals_the_same_run_alone_bit_for_bit_whatever_ran_before_it(tmp_path, cache, alone):
    result = command(tmp_path, cache, "train", "-m", *SMALL, f"weights.rte={','.join(VALUES)}", "run.name=in")
    assert result.code == 0, result.err
    assert [content(tmp_path / f"outputs/in/weights.rte={value}") for value in VALUES] == alone


@pytest.mark.slow
def test_points_in_worker_processes_equal_runs_alone_bit_for_bit(tmp_path, cache, alone):
    words = ("launcher=joblib", "launcher.n_jobs=2", f"weights.rte={','.join(VALUES)}", "run.name=jobs")
    shown = process(tmp_path, cache, "train", "-m", *SMALL, *words)
    assert shown.stdout == "outputs/jobs\n"
    assert [content(tmp_path / f"outputs/jobs/weights.rte={value}") for value in VALUES] == alone
    again = process(tmp_path, cache, "train", "-m", *SMALL, *words)
    assert [line.split()[:2] for line in again.stderr.splitlines() if line.startswith("weights.rte=")] == [
        [f"weights.rte={value}", "done"] for value in VALUES
    ]


def test_points_are_the_product_of_the_values_in_the_order_written(points, mtl):
    seen, _ = points
    result = mtl(*WORDS, "optim.lr=1e-5,2e-5", "seed=1,2", "run.name=x")
    assert result.code == 0, result.err
    assert [(p.config.optim.lr, p.config.seed) for p in seen] == list(itertools.product((1e-5, 2e-5), (1, 2)))
    assert seen[1].config.run.name == "x/optim.lr=1e-05,seed=2"
    assert all(p.config.run.if_exists == "skip" for p in seen)


def test_every_point_has_a_folder_name_of_its_own(points, mtl, tmp_path):
    seen, _ = points
    (tmp_path / "a/b").mkdir(parents=True)
    mtl("train", "-m", "task=rte,[rte,sst2]", "sampler=uniform", "data.root=a/b,null", "run.name=x")
    found = [p.config.run.name.split("/", 1)[1] for p in seen]
    assert len(set(found)) == 4
    assert all("/" not in name and name.isprintable() and " " not in name for name in found)


def test_without_a_name_the_sweep_is_called_by_task_and_date(points, mtl):
    result = mtl("train", "-m", "task=rte", "seed=1,2")
    assert result.run.name.startswith("sweep-rte-20")
    assert {p.config.run.name for p in points[0]} == {f"{result.run.name}/seed={n}" for n in (1, 2)}


def test_a_given_if_exists_is_kept(points, mtl):
    mtl("train", "-m", "task=rte", "seed=1,2", "run.if_exists=error")
    assert [p.config.run.if_exists for p in points[0]] == ["error", "error"]


def test_an_interruption_stops_the_sweep(points, mtl):
    seen, fails = points
    fails[2] = Interrupted("step 3: told to stop; state saved", 2)
    result = mtl("train", "-m", "task=rte", "seed=1,2,3", "run.name=x")
    assert (result.code, result.out, len(seen)) == (130, "", 2)
    assert "state saved" in result.err


def test_all_failures_are_listed(points, mtl):
    seen, fails = points
    fails.update({1: RunError("one"), 3: RunError("three")})
    result = mtl("train", "-m", "task=rte", "seed=1,2,3", "run.name=x")
    assert (result.code, len(seen)) == (1, 3)
    assert "2 of 3 points failed: seed=1, seed=3." in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("optim.lr=1e-4,-1",), "optim.lr: must be more than 0; found -1.0"),
        (("sampler=uniform,unifrm",), "unknown sampler 'unifrm'. Did you mean 'uniform'?"),
        (("sampler=temperature", "sampler.temperature=1,hot"), "sampler.temperature: must be a number; found 'hot'"),
        (("task=rte,rtee",), "unknown task 'rtee'. Did you mean 'rte'?"),
        (("optim.lrr=1,2",), "optim.lrr: unknown key. Did you mean 'optim.lr'?"),
        (("seed=1",), "-m: no override has several values"),
        (("run.outputs=a,b",), "-m: the run's own keys cannot be swept"),
        (("optim.lr=interval(0,1)",), "list no points"),
    ],
)
def test_a_point_that_cannot_be_run_is_told_before_anything_runs(points, mtl, tmp_path, words, message):
    result = mtl("train", "-m", "task=rte", *words, "run.name=x")
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert points[0] == []
    assert list(tmp_path.iterdir()) == []


def test_cfg_prints_every_point_as_a_document_and_runs_nothing(points, mtl, tmp_path):
    result = mtl("train", "-m", "task=rte", "seed=1,2", "run.name=x", "--cfg")
    assert [values["seed"] for values in yaml.safe_load_all(result.out)] == [1, 2]
    assert (points[0], list(tmp_path.iterdir())) == ([], [])


def test_a_point_killed_without_warning_goes_on_from_its_checkpoint_exactly(tmp_path, cache):
    words = (*WORDS, "train.steps=40", "checkpoint.every=4", "batch.size=8", "optim.lr=1e-4,1e-3")
    assert command(tmp_path, cache, *words, "run.name=whole").code == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "mtl_cli.cli.app", *words, "run.name=killed"], cwd=tmp_path, stderr=subprocess.DEVNULL,
        env={**os.environ, "MTL_CACHE": str(cache), "MTL_OUTPUTS": "outputs"},
    )  # fmt: skip
    end = time.monotonic() + 120
    while not (tmp_path / "outputs/killed/optim.lr=0.0001/checkpoints/step_000012").exists():
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    again = command(tmp_path, cache, *words, "run.name=killed")
    assert again.code == 0, again.err
    assert "resume   from step_0000" in again.err
    for point in ("optim.lr=0.0001", "optim.lr=0.001"):
        weights = [
            tmp_path / f"outputs/{name}/{point}/checkpoints/last/encoder/model.safetensors"
            for name in ("whole", "killed")
        ]
        assert weights[0].read_bytes() == weights[1].read_bytes()
