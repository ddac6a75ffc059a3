"""Files that are damaged, misnamed, without measure or no files at all: prose, in bounded time and memory."""

import gzip
import io
import os
import pickle
import random

import pytest

from mtl_cli.errors import DataError
from mtl_cli.tasks.files import read_file, read_stream, text_stream
from mtl_cli.tasks.formats.base import MAX_LINE


def read(path):
    return [row.values for row in read_file(path)]


def put(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv"])
def test_a_line_without_end_is_refused(tmp_path, name):
    path = tmp_path / name
    with path.open("wb") as out:
        out.write(b'{"a": "')
        out.truncate(MAX_LINE * 20)  # zeros that take no room on disk
    with pytest.raises(DataError, match=r":1: the line has more than 64 MiB"):
        read(path)


def test_an_item_without_end_is_refused(tmp_path):
    path = tmp_path / "x.json"
    with path.open("wb") as out:
        out.write(b'[{"a": "b"}, {"a": "')
        out.write(b"x" * (MAX_LINE + (1 << 22)))
    with pytest.raises(DataError, match=r"x\.json:1: the JSON value that begins here has more than 64 MiB.*JSON Lines"):
        read(path)


def test_a_packed_file_that_grows_without_measure_is_refused(tmp_path):
    line = b'{"a": "%s"}\n' % (b"a" * 100_000)
    path = put(tmp_path, "x.jsonl.gz", gzip.compress(line * 1000))
    with pytest.raises(DataError, match=r"x\.jsonl\.gz: [\d,]+ bytes expand to more than 64 MiB, .*unpack it"):
        read(path)


def test_a_packed_file_of_honest_size_is_read(tmp_path):
    assert read(put(tmp_path, "x.JSONL.GZ", gzip.compress(b'{"a": 1}\n' * 1000))) == [{"a": 1}] * 1000


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a,b\n1,2\n", "Not a gzipped file"),
        (gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:-20], "ended before the end"),
        (
            gzip.compress(random.Random(1).randbytes(3000).hex().encode(), mtime=0)[:500] + b"z" * 2000,
            "Error -3|CRC|end-of-stream|not UTF-8",
        ),
    ],
    ids=["no gz", "cut", "garbled"],
)
def test_a_damaged_gz_file_is_an_error_of_the_data(tmp_path, content, found):
    with pytest.raises(DataError, match=rf"x\.csv\.gz.*({found})"):
        read(put(tmp_path, "x.csv.gz", content))


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("x.csv", gzip.compress(b"a", mtime=0), "holds gzip, and is read as text: let its name end in .gz"),
        ("x.jsonl", b"PAR1....", "holds Parquet.*name it .parquet"),
        ("x.csv", b"PK\x03\x04....", "holds a zip archive .*save it as CSV"),
        ("x.jsonl", pickle.dumps([1]), "holds a pickle, which can run code.*write it as JSON Lines"),
        ("x.csv", "a,b\n".encode("utf-16"), "holds UTF-16 text .*convert it to UTF-8"),
        ("x.csv", "a,b\n1,2\n".encode("utf-16-le"), "NUL bytes, as UTF-16 text does; convert it to UTF-8"),
        ("x.bin", pickle.dumps([1]), r"unknown format '\.bin'; known: \.jsonl"),
        ("x.parquet.gz", b"", r"unknown format '\.parquet\.gz'"),
        ("x", b"", "unknown format ''; known"),
    ],
)
def test_what_holds_something_else_is_named(tmp_path, name, content, found):
    with pytest.raises(DataError, match=found):
        read(put(tmp_path, name, content))


def test_what_is_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path, found in [
        (tmp_path, "is a folder: name a file in it"),
        (tmp_path / "pipe.csv", "is a pipe or device, which can be read only once"),
        (tmp_path / "none.csv", "there is no file"),
        (tmp_path / ("x" * 5000 + ".csv"), "File name too long"),
        (tmp_path / "a\0b.csv", "cannot open .*embedded null"),
    ]:
        with pytest.raises(DataError, match=found) as caught:
            read(path)
        assert len(str(caught.value)) < 400


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.parquet", "x.arrow", "x.csv.gz"])
def test_a_file_that_may_not_be_read_is_named(tmp_path, name):
    path = put(tmp_path, name, b"a")
    path.chmod(0)
    with pytest.raises(DataError, match="Permission denied"):
        read(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"[" * 100_000, r"x\.json:1.*not readable as JSON: maximum recursion"),
        (b'{"a":' * 100_000, r"x\.json:1: not readable as JSON: maximum recursion"),
        (b'{"a": %s}' % (b"9" * 10_000), r"x\.json:1: not readable as JSON: Exceeds the limit"),
        (b'[{"a": 1}, {"a": 2', r"x\.json:1: broken JSON at column 19"),
        (b'[{"a": 1} {"a": 2}]', r"x\.json:1: broken JSON: expected ',' or '\]' after item 1 of the array; found '\{'"),
        (b'[{"a": 1}]\n x', r"x\.json:2: more follows after the array"),
        (b"[\n{},\n 2]", r"x\.json:3, item 2: must be a JSON object.*found a number"),
        (b'{\n"a": 1,\n"b" 2}', r"x\.json:3: broken JSON at column 5: Expecting ':'"),
        (b'{"a": [1, 2], "b": [1]}', r"holds one object of lists: a \(2\), b \(1\)"),
        (
            b'{"train": [{"a": 1}], "test": [{"a": 1}]}',
            r"holds one object of lists: train \(1\), test \(1\)\. An object per",
        ),
        (b'{"x": {"a": 1}, "y": {"a": 2}}', "holds one object of objects: x, y"),
        (b"[]", r"the file has no rows"),
        (b'"a"', r"must be a JSON object, such as .*; found a text"),
    ],
)
def test_json_that_holds_no_rows_says_what_it_holds(tmp_path, content, found):
    with pytest.raises(DataError, match=found):
        read(put(tmp_path, "x.json", content))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'[{"text": "a"}, {"text": "b"}]', [{"text": "a"}, {"text": "b"}]),
        (b'\n [\n  {"text": "a"}\n]', [{"text": "a"}]),
        (b'{"text": "a"}\n{"text": "b"}\n', [{"text": "a"}, {"text": "b"}]),
        (b'{\n"text": "a"\n}', [{"text": "a"}]),
        (b"[sic] he said\nno", [{"text": "[sic] he said"}, {"text": "no"}]),
        (b"", []),
    ],
)
def test_json_is_told_from_lines_on_a_stream(content, expected):
    rows = read_stream(text_stream(io.BytesIO(content), "standard input"), None)
    assert [row.values for row in rows] == expected


def test_a_row_of_a_stream_is_given_before_the_next_one_is_there():
    receiver, sender = os.pipe()
    with os.fdopen(receiver, "rb") as pipe, os.fdopen(sender, "wb", buffering=0) as out:
        out.write(b'{"text": "a"}\n')
        rows = read_stream(text_stream(pipe, "standard input"), None)
        assert next(rows).values == {"text": "a"}
        out.write(b'{"text": "b"}\n')
        assert next(rows).values == {"text": "b"}
