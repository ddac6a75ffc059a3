import json
import subprocess
import time

import mtl_cli
from mtl_cli.runs import provenance
from mtl_cli.runs.provenance import environment, git_commit, peak_memory_mib, process_start


def test_the_environment_is_plain_json_with_versions():
    found = json.loads(json.dumps(environment()))
    assert found["mtl"] == mtl_cli.__version__
    assert found["packages"]["numpy"] == __import__("numpy").__version__
    assert found["cores"] >= 1


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(provenance, "_PACKAGES", ("no-such-package-of-any-name",))
    assert environment()["packages"] == {"no-such-package-of-any-name": None}


def test_a_folder_outside_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(tmp_path) is None


def test_a_machine_without_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(tmp_path) is None


def test_changed_files_are_told_beside_the_commit(tmp_path, monkeypatch):
    answers = {"rev-parse": "abc\n", "status": " M file\n"}
    monkeypatch.setattr(subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 0, answers[words[3]]))
    assert git_commit(tmp_path) == "abc+changes"
    answers["status"] = ""
    assert git_commit(tmp_path) == "abc"


def test_memory_and_start_of_this_process_are_plausible():
    assert 5 < peak_memory_mib() < 1e6
    assert 0 < time.time() - process_start() < 24 * 3600
