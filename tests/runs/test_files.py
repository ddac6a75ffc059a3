import errno
import json
import math
from pathlib import Path

import pytest

from mtl_cli.errors import RunError
from mtl_cli.runs.files import explained, plain, write_json, write_text


def test_a_text_is_written_whole_and_leaves_no_scratch_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    write_text(tmp_path / "a.txt", "naïve €\n")
    assert (tmp_path / "a.txt").read_bytes() == "naïve €\n".encode()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_write_that_fails_leaves_the_old_text_and_no_scratch_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left to write in .*run.outputs=DIR; what was saved before is whole"),
        (errno.EDQUOT, "no space left"),
        (errno.EACCES, "permission denied: .*MTL_OUTPUTS"),
        (errno.EPERM, "permission denied"),
        (errno.EROFS, "permission denied"),
        (errno.EIO, "cannot write in .*: it broke. Choose another folder"),
    ],
)
def test_a_refusal_of_the_operating_system_becomes_a_message_with_a_remedy(tmp_path, number, words):
    with pytest.raises(RunError, match=words), explained(tmp_path):
        raise OSError(number, "it broke")


def test_an_error_that_is_not_about_writing_passes_through(tmp_path):
    with pytest.raises(ValueError, match="mine"), explained(tmp_path):
        raise ValueError("mine")


def test_numbers_that_json_has_no_word_for_become_null():
    value = {"a": [math.nan, 1.5, (math.inf, -math.inf)], 3: {"b": math.nan}, "c": None, "d": True}
    assert plain(value) == {"a": [None, 1.5, [None, None]], "3": {"b": None}, "c": None, "d": True}


def test_json_is_strict_and_keeps_letters_readable(tmp_path):
    write_json(tmp_path / "a.json", {"größe": math.nan})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "größe" in text
    assert json.loads(text, parse_constant=pytest.fail) == {"größe": None}


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("run.outputs", "Choose another folder with run.outputs=DIR or MTL_OUTPUTS."),
        ("out.outputs", "Choose another folder with out.outputs=DIR or MTL_OUTPUTS."),
        ("decide.curve", "Choose another folder with decide.curve=PATH."),
        ("", "Let it be written, or work on a copy of the run."),
    ],
)
def test_the_remedy_names_the_key_of_this_place(key, remedy):
    with pytest.raises(RunError) as caught, explained(Path("a"), key):
        raise OSError(errno.EACCES, "closed")
    assert str(caught.value) == f"permission denied: a cannot be written. {remedy}"
