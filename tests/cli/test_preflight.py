"""What is wrong without a model is told before torch is imported."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

CHILD = """
import importlib.util, sys
lacking = sys.argv.pop(1)
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == lacking else find(name, *rest)
from mtl_cli.cli.app import main
try:
    main()
finally:
    sys.stderr.write(f"torch: {'torch' in sys.modules}")
"""
TASK = """# @package _global_
# mtl train task=mine
tasks:
  mine:
    kind: {name: classification, labels: [bad, good]}
    text: [review]
    label: stars
    metrics: [accuracy]
    source: {files: {train: FILE, validation: FILE}}
weights: {mine: 1.0}
"""


def mtl_apart(folder, *words, lacking="-"):
    environment = {**os.environ, "MTL_CACHE": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, "-c", CHILD, lacking, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def mine(folder, name, content=None):
    (folder / "conf/task").mkdir(parents=True)
    (folder / "conf/task/mine.yaml").write_text(TASK.replace("FILE", name))
    if content is not None:
        (folder / name).write_text(content)
    return ("--config-dir", "conf", "task=mine", "backbone=tiny")


WRONG = [
    ("a.jsonl", json.dumps({"text": "x", "stars": "good"}), "reads column 'review', which is missing. Columns here: text, stars"),
    ("a.csv", "review,star\nx,good\n", "reads column 'stars', which is missing. Columns here: review, star. Did you mean 'star'?"),
    ("a.jsonl", None, "there is no file a.jsonl"),
    ("a.doc", "x", "a.doc"),
]  # fmt: skip


def test_a_missing_column_is_told_before_torch_is_imported(tmp_path):
    name, content, says = WRONG[0]
    result = mtl_apart(tmp_path, "train", *mine(tmp_path, name, content))
    assert (result.returncode, result.stdout) == (2, "")
    assert says in result.stderr
    assert result.stderr.count("tasks.mine: ") == 1  # training and validation rows are in one file
    assert result.stderr.endswith("torch: False")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "task=rte", "train.steps=-5"], "train.steps: must be more than 0; found -5"),
        (["eval", "run=nowhere"], "run: nowhere holds no run"),
        (["affinity", "run=nowhere"], "run: nowhere holds no run"),
        (["eval", "run=asked"], "asked is a run of `mtl zeroshot`"),
        (["zeroshot", "--labels", "a,b", "--file", "nowhere.csv"], "there is no file nowhere.csv"),
        (["zeroshot", "--labels", "a,b", "--file", "a.csv"], "input.text_column reads column 'text', which is missing. Columns here"),
        (["doctor", "--labels", "a,b", "--file", "a.csv"], "input.text_column reads column 'text', which is missing"),
        (["zeroshot", "--labels", "a,b", "--text", "x", "--template", "y"], "'y' has no place for the label"),
        (["zeroshot", "-m", "method=embed,cloze", "--labels", "a,b", "--file", "nowhere.csv"], "there is no file nowhere.csv"),
    ],
)  # fmt: skip
def test_what_needs_no_model_is_reported_before_a_model_is_looked_for(mtl, tmp_path, monkeypatch, words, says):
    from mtl_cli.cli import affinity, doctor, engines, evaluate, train, zeroshot

    (tmp_path / "a.csv").write_text("words,label\nx,a\n")
    (tmp_path / "asked").mkdir()
    (tmp_path / "asked/config.yaml").write_text("decide: {}\n")

    def loads_libraries(*_) -> None:
        raise AssertionError("torch would be imported")

    monkeypatch.setattr("mtl_cli.config.read.bind", loads_libraries)
    for module in (affinity, doctor, engines, evaluate, train, zeroshot):
        monkeypatch.setattr(module, "quiet_libraries", loads_libraries)
    result = mtl(*words)
    assert (result.code, result.out) == (2, "")
    assert says in result.err


def test_a_missing_package_is_told_before_torch_is_imported(tmp_path):
    words = ["train", "-m", "search.trials=2", "optim.lr=interval(1e-5,1e-3)"]
    result = mtl_apart(tmp_path, *words, lacking="optuna")
    assert (result.returncode, result.stdout) == (2, "")
    assert "search.trials: needs the package optuna: pip install 'mtl-cli[search]'" in result.stderr
    assert result.stderr.endswith("torch: False")


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize(("name", "content", "says"), WRONG)
def test_what_is_wrong_with_files_formats_and_columns_is_told_of_all_splits(
    mtl, tmp_path, command, name, content, says
):
    result = mtl(command, *mine(tmp_path, name, content))
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert result.err.count("tasks.mine: ") == 1


@pytest.mark.parametrize(
    ("words", "lacking", "says"),
    [
        (["train", "weighting=nash_mtl"], "cvxpy", "weighting: needs the package cvxpy: pip install 'mtl-cli[solvers]'"),
        (["check", "weighting=upgrad"], "quadprog", "weighting: needs the package quadprog: pip install 'mtl-cli[solvers]'"),
        (["train", "-m", "launcher=ray", "seed=1,2"], "ray", "launcher: needs the package ray: pip install 'mtl-cli[ray]'"),
        (["train", "data.root=nowhere"], "-", "data.root: there is no folder nowhere"),
        (["train", "data.source=local"], "-", "data.source: local needs data.root=DIR"),
    ],
)  # fmt: skip
def test_packages_and_folders_are_looked_for_first(mtl, monkeypatch, words, lacking, says):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == lacking else find(name, *rest))
    result = mtl(*words)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
