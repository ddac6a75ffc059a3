"""Threads that share a machine with other programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtl_cli.launch.joblib import JoblibLauncher
from mtl_cli.threads import (
    SPINS,
    Contention,
    Sample,
    cores,
    limit_spinning,
    omp_threads,
    others_now,
    sample,
    threads_beside,
)

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


@pytest.fixture
def two_cores(monkeypatch):
    """This process may use cores 0 and 2."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 2}, raising=False)


STAT = """cpu  9999 0 9999 9999 0 0 0 0 0 0
cpu0 100 20 30 5000 600 7 8 9 400 0
cpu1 9999 0 0 0 0 0 0 0 0 0
cpu2 1 0 0 9000 0 0 0 0 0 0
cpu20 9999 0 0 0 0 0 0 0 0 0
intr 12345 0 0
ctxt 678
"""
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def test_busy_time_is_that_of_the_cores_which_this_process_may_use(tmp_path, two_cores):
    file = tmp_path / "stat"
    file.write_text(STAT)
    assert cores() == 2
    assert sample(file).busy == pytest.approx((100 + 20 + 30 + 7 + 8 + 9 + 1) / TICKS)


@pytest.mark.parametrize(
    "content", [None, "", "cpu0 1 2 3\n", "cpu0 a b c d e f g h\n", STAT.replace("cpu2 ", "cpu3 "), "cpu0 \u00e9\n"]
)
def test_a_system_that_does_not_say_has_no_load(tmp_path, two_cores, content):
    file = tmp_path / "stat"
    if content is not None:
        file.write_text(content)
    assert sample(file) is None
    assert others_now(0.0, file) == 0.0


@pytest.mark.parametrize(
    ("wall", "own", "busy", "others"),
    [
        (10.0, 0.0, 0.0, 0.0),
        (10.0, 9.0, 19.0, 1.0),
        (10.0, 9.0, 8.0, 0.0),
        (10.0, 0.0, 50.0, 2.0),
        (0.0, 0.0, 0.0, 0.0),
    ],
)
def test_load_of_others_is_the_busy_time_that_is_not_ours(two_cores, wall, own, busy, others):
    assert Sample(5.0 + wall, 1.0 + own, 3.0 + busy).others_since(Sample(5.0, 1.0, 3.0)) == pytest.approx(others)


def test_a_busy_program_is_seen_and_this_process_is_not_another(tmp_path, two_cores, monkeypatch):
    file = tmp_path / "stat"
    row = "cpu{} {} 0 0 0 0 0 0 0\n"
    file.write_text(row.format(0, 0) + row.format(2, 0))
    own = iter([0.0, 0.5])
    clock = iter([0.0, 1.0])
    monkeypatch.setattr("time.process_time", lambda: next(own))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    monkeypatch.setattr(
        "time.sleep", lambda _: file.write_text(row.format(0, TICKS) + row.format(2, TICKS // 2)) and None
    )
    assert others_now(1.0, file) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("others", "most", "threads"),
    [(0.0, 2, 2), (0.2, 2, 2), (1.0, 2, 1), (1.8, 2, 1), (2.0, 2, 1), (0.0, 1, 1), (1.0, 8, 4), (0.0, 8, 8)],
)
def test_threads_take_the_share_of_the_machine_that_is_free(two_cores, others, most, threads):
    assert threads_beside(others, most) == threads


@pytest.mark.parametrize(
    ("value", "threads"), [("3", 3), ("4,2", 4), (" 2 ", 2), ("", None), ("0", None), ("-1", None), ("many", None)]
)
def test_what_omp_num_threads_says(value, threads):
    assert omp_threads({"OMP_NUM_THREADS": value}) == threads
    assert omp_threads({}) is None


def looks(threads, *samples):
    """What each look says, given what the clock and the cores say when it is made and looked at."""
    steps = iter([Sample(*numbers) for numbers in samples])
    contention = Contention(threads, sample=lambda: next(steps))
    return [contention.look() for _ in samples[1:]]


def test_threads_that_wait_for_cores_of_others_are_reported_once(two_cores):
    text, *rest = looks(2, (0, 0, 0), (10, 10, 20), (20, 20, 40))
    assert text.startswith("other programs keep 1.0 of 2 cores busy, so the 2 threads of this run wait")
    assert "fabric.threads=1" in text
    assert rest == [None]


@pytest.mark.parametrize(
    ("threads", "samples"),
    [
        pytest.param(2, [(0, 0, 0), (10, 19, 19.5), (20, 38, 39)], id="alone"),
        pytest.param(2, [(0, 0, 0), (10, 11, 12), (20, 22, 24)], id="alone, and much of a step is not parallel"),
        pytest.param(2, [(0, 0, 0), (10, 17, 20), (20, 34, 40)], id="another program now and then"),
        pytest.param(2, [(0, 0, 0), (9, 9, 18)], id="a burst"),
        pytest.param(1, [(0, 0, 0), (10, 10, 20)], id="one thread has nobody to wait for"),
    ],
)
def test_normal_runs_are_not_warned(two_cores, threads, samples):
    assert not any(looks(threads, *samples))


def test_contention_is_not_looked_for_where_the_system_does_not_say(two_cores):
    assert Contention(2, sample=lambda: None).look() is None


@pytest.mark.parametrize(
    ("n_jobs", "threads", "variable", "each"),
    [(2, None, None, 1), (1, None, None, 2), (None, None, None, 1), (4, None, None, 1), (1, 3, "1", 3), (1, None, "1", 1)],
)  # fmt: skip
def test_workers_of_a_sweep_are_always_given_their_threads(two_cores, monkeypatch, n_jobs, threads, variable, each):
    monkeypatch.delenv("OMP_NUM_THREADS")
    if variable:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    given = {}

    class Backend:
        def __init__(self, backend, **limits):
            given.update(limits)

        def __enter__(self):
            raise KeyError("seen")

        def __exit__(self, *_):
            return None

    monkeypatch.setattr("joblib.parallel_config", Backend)
    with pytest.raises(KeyError, match="seen"):
        list(JoblibLauncher(n_jobs=n_jobs, threads=threads).run([]))
    assert given == {"inner_max_num_threads": each}
