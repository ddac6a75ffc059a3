"""Parquet and Arrow files that are small on disk and large in memory, or damaged: refused with numbers."""

import collections
import itertools
import signal
import subprocess

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from mtl_cli.errors import DataError
from mtl_cli.tasks.files import class_names, read_file
from mtl_cli.tasks.formats import columnar_probe
from mtl_cli.tasks.formats.columnar_bounds import longest, rows_at_once


def repeated(text, rows):
    return pyarrow.table(
        {"text": pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows), pyarrow.array([text]))}
    )


def parquet(tmp_path, table, **options):
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet", compression="zstd", store_schema=False, **options)
    return tmp_path / "x.parquet"


def arrow(tmp_path, table, compression=None):
    with pyarrow.ipc.new_stream(
        tmp_path / "x.arrow", table.schema, options=pyarrow.ipc.IpcWriteOptions(compression=compression)
    ) as out:
        out.write_table(table)
    return tmp_path / "x.arrow"


BOMBS = {
    "a long text in every row": lambda p: parquet(p, repeated("x" * 10_000_000, 300)),
    "a short text in a million rows": lambda p: parquet(p, repeated("x" * 1000, 1_000_000)),
    "pages that pack well": lambda p: parquet(p, pyarrow.table({"text": ["x" * 30_000_000] * 3}), use_dictionary=False),
    "a list in one row": lambda p: parquet(
        p,
        pyarrow.table(
            {"text": pyarrow.ListArray.from_arrays([0, 8_000_000], pyarrow.array(["y"]).take([0] * 8_000_000))}
        ),
    ),
    "packed batches": lambda p: arrow(p, pyarrow.table({"text": ["x" * 30_000_000] * 3}), "zstd"),
    "a dictionary": lambda p: arrow(p, repeated("x" * 1_000_000, 10_000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_repeats_a_few_values_is_refused_with_numbers(tmp_path, name):
    path = BOMBS[name](tmp_path)
    with pytest.raises(DataError, match=r"x\.\w+: [\d,]+ bytes on disk expand to more than \d+ MiB, over 200 times"):
        collections.deque(itertools.islice(read_file(path), 150_000), maxlen=1)


def test_a_small_file_of_millions_of_equal_rows_is_refused(tmp_path):
    table = pyarrow.table({"label": pyarrow.array(np.zeros(5_000_000, np.int8))})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataError, match="expand to more than 64 MiB"):
        next(read_file(tmp_path / "x.parquet"))


def test_a_batch_holds_as_many_rows_as_memory_has_room_for():
    assert [rows_at_once(n) for n in (0, 10, 1 << 16, 1 << 20, 1 << 26, 1 << 40)] == [1024, 1024, 1024, 64, 1, 1]
    lists = pyarrow.array([["abc"], ["a", "b"], None])
    assert longest(lists) == 6
    assert longest(pyarrow.array(["abc", "x"]).dictionary_encode()) == 3
    assert longest(pyarrow.array([{"a": "xyz", "b": "uv"}])) == 5


def test_a_column_whose_values_cannot_be_counted_is_refused(tmp_path):
    table = pyarrow.table({"text": pyarrow.array(["a"], pyarrow.string_view())})
    with pytest.raises(
        DataError, match=r"column 'text' has the type string_view, which is not read: write it as string"
    ):
        list(read_file(arrow(tmp_path, table)))


@pytest.mark.parametrize("write", [parquet, arrow])
def test_a_file_that_is_cut_short_is_an_error_of_the_data(tmp_path, write):
    path = write(tmp_path, pyarrow.table({"text": ["some text"] * 100}))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"not readable as (Parquet|Arrow): .*Write or download it again"):
        list(read_file(path))
    with pytest.raises(DataError, match=r"not readable as (Parquet|Arrow): .*Write or download it again"):
        class_names(path)


def test_a_file_on_which_the_library_aborts_does_not_end_this_process(tmp_path, monkeypatch):
    path = parquet(tmp_path, pyarrow.table({"text": ["a"]}))
    aborted = subprocess.CompletedProcess([], -signal.SIGABRT, "", "terminate called\n  what():  size mismatch\n")
    monkeypatch.setattr(columnar_probe.subprocess, "run", lambda *args, **options: aborted)
    with pytest.raises(
        DataError, match=r"x\.parquet: .*the reader crashed \(what\(\):  size mismatch\)\. Is the file complete"
    ):
        list(read_file(path))


def test_a_file_that_the_library_never_finishes_is_refused(tmp_path, monkeypatch):
    path = parquet(tmp_path, pyarrow.table({"text": ["a"]}))

    def run(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(columnar_probe.subprocess, "run", run)
    with pytest.raises(DataError, match="reading it does not end"):
        list(read_file(path))


def test_modules_of_the_working_folder_are_not_run(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('code of a stranger')")
    (tmp_path / "pyarrow.py").write_text("raise SystemExit('code of a stranger')")
    path = parquet(tmp_path, pyarrow.table({"text": ["a"]}))
    monkeypatch.chdir(tmp_path)
    assert [row.values for row in read_file(path)] == [{"text": "a"}]
