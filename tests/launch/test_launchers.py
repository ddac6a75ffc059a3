"""Every launcher runs every job once, and says how each ended. The engines run for real where they are installed."""

import gc
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from mtl_cli.errors import ConfigError, Interrupted, RunError
from mtl_cli.launch.base import Job, need
from mtl_cli.launch.inprocess import InProcess
from mtl_cli.launch.joblib import JoblibLauncher
from mtl_cli.launch.ray import RayLauncher
from mtl_cli.launch.submitit import SubmititLauncher
from tests.launch.work import Write

MAKERS = {
    "inprocess": (None, InProcess),
    "joblib": (None, lambda: JoblibLauncher(n_jobs=2, threads=1)),
    "submitit": (
        "submitit",
        lambda: SubmititLauncher(cluster="local", at_once=2, poll_seconds=0.1, parameters={"timeout_min": 5}),
    ),
    "submitit all at once": (
        "submitit",
        lambda: SubmititLauncher(cluster="debug", at_once=None, poll_seconds=0.1, parameters={}),
    ),
    "ray": ("ray", lambda: RayLauncher(address=None, at_once=2, num_cpus=1, num_gpus=0, init={"num_cpus": 2})),
}


@pytest.fixture(params=MAKERS)
def launcher(request, tmp_path, monkeypatch):
    package, make = MAKERS[request.param]
    if package:
        pytest.importorskip(package)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))
    made = make()
    made.prepare(tmp_path / "sweep")
    yield made
    del made
    # submitit leaves log files open: they must go here, not in a later test that takes warnings for errors.
    gc.collect()


@pytest.mark.filterwarnings("ignore")
def test_every_job_runs_and_a_failure_stops_no_other(launcher, tmp_path):
    jobs = [Job(str(i), Write(tmp_path / str(i), "too bad" if i == 1 else "")) for i in range(4)]
    outcomes = {outcome.name: outcome.error for outcome in launcher.run(jobs)}
    assert outcomes.keys() == {"0", "1", "2", "3"}
    assert isinstance(outcomes.pop("1"), RunError)
    assert set(outcomes.values()) == {None}
    pids = {(tmp_path / str(i)).read_text() for i in range(4)}
    assert (str(os.getpid()) in pids) == (type(launcher) is InProcess or launcher.width == 1)


def test_joblib_told_to_stop_begins_no_more_and_tells_the_running_ones(tmp_path):
    jobs = [Job(str(i), Write(tmp_path / str(i), seconds=60.0)) for i in range(6)]

    def stop():
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop).start()
    began = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        list(JoblibLauncher(n_jobs=2, threads=1).run(jobs))
    assert caught.value.exit_code == 128 + signal.SIGTERM
    assert len(list(tmp_path.iterdir())) == 2
    assert time.monotonic() - began < 50


def test_a_package_that_is_not_there_is_told_with_the_line_to_install_it():
    with pytest.raises(
        ConfigError, match=r"launcher: needs the package 'no_such_engine': pip install 'mtl-cli\[extra\]'"
    ):
        need("no_such_engine", "extra")


def test_submitit_s_refusal_of_a_parameter_is_told_before_anything_runs(tmp_path):
    pytest.importorskip("submitit")
    launcher = SubmititLauncher(cluster="local", at_once=1, poll_seconds=1.0, parameters={"no_such": 1})
    with pytest.raises(ConfigError, match=r"launcher: .*no_such"):
        launcher.prepare(tmp_path / "sweep")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JoblibLauncher(n_jobs=0, threads=None), "n_jobs must be at least 1"),
        (lambda: JoblibLauncher(n_jobs=1, threads=0), "threads must be at least 1"),
        (lambda: SubmititLauncher(cluster="local", at_once=0, poll_seconds=1.0, parameters={}), "at_once must be at"),
        (lambda: SubmititLauncher(cluster="local", at_once=1, poll_seconds=0.0, parameters={}), "poll_seconds must be"),
        (lambda: RayLauncher(address=None, at_once=0, num_cpus=1, num_gpus=0, init={}), "at_once must be at least 1"),
    ],
)
def test_counts_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_refused_parameter_leaves_what_an_earlier_sweep_logged(tmp_path):
    pytest.importorskip("submitit")
    (tmp_path / ".submitit").mkdir()
    (tmp_path / ".submitit/0.out").write_text("kept")
    launcher = SubmititLauncher(cluster="local", at_once=None, poll_seconds=1.0, parameters={"nonsense": 1})
    with pytest.raises(ConfigError):
        launcher.prepare(tmp_path)
    assert (tmp_path / ".submitit/0.out").read_text() == "kept"
