"""Readers of a run folder's files: what they give, and that whatever stands in a file ends in a value or in prose."""

import contextlib
import copy
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_cli.runs import formats
from mtl_cli.runs.formats import UnreadableError

READERS = {
    "summary.json": formats.read_summary,
    "env.json": formats.read_environment,
    "state.json": formats.read_state,
    "manifest.json": formats.read_manifest,
    "sweep.json": formats.read_sweep,
    "compare.json": formats.read_series,
    "metrics.jsonl": lambda folder: formats.read_metrics(folder / "metrics.jsonl"),
    "a.validation.jsonl": lambda folder: formats.read_predictions(folder / "a.validation.jsonl"),
}
KEYS = ("tasks", "metrics", "score", "data", "step", "event", "run", "row", "kinds", "selector", "best_step")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "is missing"),
        ("folder", "is a folder, not a file"),
        ("pipe", "is a pipe or device, not a file"),
        ("loop", "cannot be read: Too many levels of symbolic links"),
        (b"\xff{}", "is damaged"),
        (b'{"a": ', "is damaged.*: (it is empty or cut short|Expected)"),
        (b"3", "is damaged.*: Expected"),
        (b"[" * 100_000, "is damaged"),
        (b'{"more": ' + b"[" * 100_000, "is damaged.*: (it is nested too deeply|Expected)"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_file(tmp_path, name, content, problem):
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content == "pipe":
        os.mkfifo(path)
    elif content == "loop":
        path.symlink_to(path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableError, match=f"{name} {problem}") as error:
        READERS[name](tmp_path)
    assert len(str(error.value)) < 500 + len(str(path))
    assert str(copy.copy(error.value)) == str(error.value)  # as between processes


@settings(derandomize=True, deadline=None, max_examples=60)
@given(value=VALUES, cut=st.integers(0, 40))
def test_any_value_is_read_or_refused_in_prose(tmp_path_factory, value, cut):
    folder = tmp_path_factory.mktemp("any")
    text = json.dumps(value)
    for name, read in READERS.items():
        (folder / name).write_text(text if cut > 20 else text[:cut])
        with contextlib.suppress(UnreadableError):
            read(folder)


def test_a_summary_keeps_what_it_does_not_know(tmp_path):
    raw = {
        "tasks": {"a": {"metrics": [{"metric": "f1", "set_name": "v", "value": 0.5}], "score": 0.5}},
        "mine": {"x": [1]},
    }
    (tmp_path / "summary.json").write_text(json.dumps(raw))
    summary = formats.read_summary(tmp_path)
    assert summary.raw == raw
    assert summary.tasks["a"].metrics[0].value == 0.5
    assert (summary.status, summary.mean, summary.steps) == ("done", None, None)


def test_a_cut_last_line_is_left_out_where_a_run_may_have_been_killed(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"event": "train", "step": 1}\n{"event": "tr')
    assert [record.step for record in formats.read_metrics(path, may_be_cut=True)] == [1]
    with pytest.raises(UnreadableError, match=r"metrics.jsonl is damaged in line 2: it is empty or cut short"):
        formats.read_metrics(path)


@pytest.mark.parametrize(("text", "line"), [("row: 1", 1), ('{"row": 1, "label": "a", "prediction": [1]}', 1)])
def test_a_line_that_is_no_prediction_is_told_by_its_number(tmp_path, text, line):
    (tmp_path / "p.jsonl").write_text(f"{text}\n")
    with pytest.raises(UnreadableError, match=f"p.jsonl is damaged in line {line}"):
        formats.read_predictions(tmp_path / "p.jsonl")
