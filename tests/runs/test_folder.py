import errno
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mtl_cli.errors import ConfigError, RunError
from mtl_cli.runs.folder import RunFolder, begin, check_command, default_name, differences, open_run, read_config

CONFIG = {
    "seed": 1,
    "optim": {"lr": 2e-5, "betas": [0.9, 0.98]},
    "run": {"name": "a"},
    "tasks": {"rte": {"text": ["a", "b"]}, "sst2": {}},
}
HOLD = """
import sys, time
from pathlib import Path
from mtl_cli.runs.folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of tmp_path / "run"."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def make_run(path, config=CONFIG, finished=False):
    with closing(open_run(path, "error")):
        begin(path, config, ["seed=1", "optim.lr=2e-5"])
    if finished:
        (path / "summary.json").write_text("{}\n")


def test_a_folder_that_another_process_holds_names_that_process(tmp_path, holder):
    with pytest.raises(
        RunError, match=f"run is in use by process {holder.pid}. Wait for it, stop it, or give another run.name"
    ):
        RunFolder(tmp_path / "run")


def test_a_lock_is_free_after_kill_9_and_tells_the_new_holder(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with closing(RunFolder(tmp_path / "run")):
        assert str(holder.pid) not in (tmp_path / "run" / ".lock").read_text()


def test_a_refused_folder_is_still_held_by_its_holder(tmp_path, holder):
    for _ in range(2):
        with pytest.raises(RunError, match=f"process {holder.pid}"):
            open_run(tmp_path / "run", "resume")


def test_a_closed_folder_can_be_opened_again(tmp_path):
    RunFolder(tmp_path).close()
    RunFolder(tmp_path).close()


def test_a_fresh_folder_is_made_with_its_parents(tmp_path):
    with closing(open_run(tmp_path / "a" / "b", "error")) as folder:
        assert folder.path.is_dir()
        assert not folder.started
        assert not folder.finished


def test_begin_writes_what_was_asked_and_marks_the_folder(tmp_path):
    make_run(tmp_path / "run")
    with closing(open_run(tmp_path / "run", "resume")) as folder:
        assert folder.started
    assert (tmp_path / "run" / "overrides.txt").read_text() == "seed=1\noptim.lr=2e-5\n"
    assert read_config(tmp_path / "run") == CONFIG


@pytest.mark.parametrize(("finished", "state"), [(False, "is not finished"), (True, "is finished")])
def test_an_existing_run_is_refused_unless_asked_to_go_on(tmp_path, finished, state):
    make_run(tmp_path / "run", finished=finished)
    with pytest.raises(ConfigError, match=f"holds a run already, which {state}. Use run.if_exists=resume or skip"):
        open_run(tmp_path / "run", "error")


@pytest.mark.parametrize("if_exists", ["resume", "skip"])
def test_an_existing_run_is_opened_when_asked_and_says_whether_it_is_finished(tmp_path, if_exists):
    make_run(tmp_path / "run", finished=True)
    with closing(open_run(tmp_path / "run", if_exists)) as folder:
        assert folder.finished


@pytest.mark.parametrize("if_exists", ["error", "resume", "skip"])
def test_a_folder_with_strange_files_is_refused_and_left_as_it_was(tmp_path, if_exists):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match=r"exists and holds no run of mtl. Give another run.name"):
        open_run(tmp_path, if_exists)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_refused_folder_is_not_locked_afterwards(tmp_path):
    make_run(tmp_path)
    for _ in range(2):
        with pytest.raises(ConfigError, match="holds a run already"):
            open_run(tmp_path, "error")


@pytest.mark.parametrize(
    "left", [".lock", "log.txt", "env.json", "overrides.txt", ".env.json.0a1b2c3d", ".config.yaml.0a1b2c3d"]
)
def test_what_a_process_leaves_that_was_killed_before_its_run_began_is_no_hindrance(tmp_path, left):
    (tmp_path / left).write_text("")
    with closing(open_run(tmp_path, "error")) as folder:
        assert not folder.started


def test_the_same_config_is_resumed_and_run_keys_may_differ(tmp_path):
    make_run(tmp_path)
    with closing(open_run(tmp_path, "resume")) as folder:
        folder.check_same(CONFIG | {"run": {"name": "other", "if_exists": "resume"}}, "train")


def test_a_different_config_is_refused_with_every_dotted_key(tmp_path):
    make_run(tmp_path)
    other = CONFIG | {"seed": 2, "optim": {"lr": 1e-3, "betas": [0.9, 0.98]}}
    with (
        closing(open_run(tmp_path, "resume")) as folder,
        pytest.raises(
            ConfigError,
            match=r"(?s)seed: the run has 1, asked is 2.*optim.lr: the run has 2e-05, asked is 0.001.*Give the same values",
        ),
    ):
        folder.check_same(other, "train")


def test_differences_name_leaves_that_are_missing_on_either_side():
    assert differences({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "z": 3}}, "train") == [
        ("a.x", 1, None),
        ("a.z", None, 3),
    ]


@pytest.mark.parametrize(
    "key", ["run", "fabric", "seeds", "baselines", "baseline_budget", "search", "checkpoint", "diagnostics"]
)
def test_where_and_how_a_run_is_made_is_no_difference(key):
    assert differences({key: {"x": 1}}, {key: {"x": 2}}, "train") == []


def test_a_measurement_counts_its_looks_and_answers_count_how_they_are_computed():
    assert differences({"diagnostics": {"every": 1}}, {"diagnostics": {"every": 2}}, "affinity") != []
    assert differences({"fabric": {"devices": 1}}, {"fabric": {"devices": 2}}, "zeroshot") != []
    assert differences({"out": {"name": "a"}}, {"out": {"name": "b"}}, "zeroshot") == []


def test_a_run_may_go_on_with_another_precision_but_is_not_the_same_run_then(tmp_path):
    half, full = ({"fabric": {"precision": name, "devices": 1}} for name in ("bf16-mixed", "32-true"))
    begin(tmp_path, CONFIG | half, [])
    with closing(open_run(tmp_path, "resume")) as folder:
        folder.check_same(CONFIG | full, "train")
    assert differences(half, full, "train") == [("fabric.precision", "bf16-mixed", "32-true")]


def test_only_the_places_of_data_are_free_not_its_limits():
    old = {
        "data": {"root": "a", "cache": "b", "source": "hub", "hub_timeout": 1.0, "limit": 3},
        "train": {"progress": "bar", "steps": 1},
    }
    new = {
        "data": {"root": "c", "cache": "d", "source": "local", "hub_timeout": 2.0, "limit": 4},
        "train": {"progress": "off", "steps": 2},
    }
    assert differences(old, new, "train") == [("data.limit", 3, 4), ("train.steps", 1, 2)]


def test_another_order_of_the_tasks_is_a_difference():
    assert differences({"tasks": {"a": {}, "b": {}}}, {"tasks": {"b": {}, "a": {}}}, "train") == [
        ("tasks", ["a", "b"], ["b", "a"])
    ]
    assert differences({"weights": {"a": 1, "b": 2}}, {"weights": {"b": 2, "a": 1}}, "train") == []


def test_a_file_in_the_place_of_the_folder_is_explained(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match=r"cannot write in .*run: File exists. Choose another folder"):
        open_run(tmp_path / "run", "error")
    with pytest.raises(RunError, match=r"cannot write in .*: Not a directory"):
        open_run(tmp_path / "run" / "below", "error")


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "no space left"), (errno.EACCES, "permission denied")])
def test_a_folder_that_cannot_be_made_is_explained(tmp_path, monkeypatch, number, words):
    def refuse(self, *args, **kwargs):
        raise OSError(number, "refused")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunError, match=words):
        open_run(tmp_path / "run", "error")


def test_a_full_disk_at_the_beginning_is_explained_and_the_folder_is_not_marked(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match="no space left"):
        begin(tmp_path, CONFIG, [])
    assert list(tmp_path.iterdir()) == []


def test_reading_a_folder_without_a_run_names_runs_beside_it(tmp_path):
    make_run(tmp_path / "first")
    make_run(tmp_path / "second")
    with pytest.raises(ConfigError, match=r"third holds no run \(no config.yaml\). Runs there: first, second."):
        read_config(tmp_path / "third")


def test_reading_a_folder_in_an_empty_place_says_only_that(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no run \(no config.yaml\)\.$"):
        read_config(tmp_path / "none" / "third")


def test_default_names_begin_with_the_tasks_and_differ():
    names = {default_name("rte+sst2") for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("rte+sst2-") for name in names)


@pytest.mark.parametrize(("stored", "command"), [({"decide": {}}, "zeroshot"), ({}, "train")])
def test_a_run_of_another_command_is_not_resumed(tmp_path, stored, command):
    other = "train" if command == "zeroshot" else "zeroshot"
    check_command(tmp_path, stored, command, "run.name")
    with pytest.raises(ConfigError, match=rf"cannot resume .*: it is a run of `mtl {command}`. Give another out\.name"):
        check_command(tmp_path, stored, other, "out.name")
