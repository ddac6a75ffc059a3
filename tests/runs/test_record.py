import errno
import io
import json
import math

import pytest

from mtl_cli.errors import RunError
from mtl_cli.runs.record import MetricsLog


class FullDisk(io.RawIOBase):
    def writable(self):
        return True

    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")


def records(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def written(path, *values, keep=0):
    log = MetricsLog(path, keep)
    for value in values:
        log.write({"v": value})
    size = log.size
    log.close()
    return size


def test_a_record_is_on_disk_when_write_returns(tmp_path):
    log = MetricsLog(tmp_path / "m.jsonl", 0)
    log.write({"loss": math.nan, "name": "ä"})
    assert records(tmp_path / "m.jsonl") == [{"loss": None, "name": "ä"}]
    assert log.size == (tmp_path / "m.jsonl").stat().st_size
    log.close()


def test_a_resumed_log_drops_what_came_after_the_checkpoint(tmp_path):
    size = written(tmp_path / "m.jsonl", 1, 2)
    written(tmp_path / "m.jsonl", 3, 4, keep=size)
    written(tmp_path / "m.jsonl", 5, keep=size)
    assert [r["v"] for r in records(tmp_path / "m.jsonl")] == [1, 2, 5]


def test_a_line_that_was_cut_by_a_kill_is_dropped_at_resume(tmp_path):
    size = written(tmp_path / "m.jsonl", 1)
    with (tmp_path / "m.jsonl").open("a") as stream:
        stream.write('{"v": 2')
    written(tmp_path / "m.jsonl", 3, keep=size)
    assert [r["v"] for r in records(tmp_path / "m.jsonl")] == [1, 3]


def test_a_run_from_the_start_begins_an_empty_log(tmp_path):
    written(tmp_path / "m.jsonl", 1, 2)
    written(tmp_path / "m.jsonl", 9)
    assert [r["v"] for r in records(tmp_path / "m.jsonl")] == [9]


def test_a_log_that_was_lost_or_cut_is_not_filled_up_with_zeros(tmp_path):
    written(tmp_path / "m.jsonl", 7, keep=500)
    assert [r["v"] for r in records(tmp_path / "m.jsonl")] == [7]
    written(tmp_path / "m.jsonl", 8, keep=500)
    assert [r["v"] for r in records(tmp_path / "m.jsonl")] == [7, 8]


def test_a_full_disk_is_explained_when_writing_and_when_closing(tmp_path):
    log = MetricsLog(tmp_path / "m.jsonl", 0)
    log.close()
    log._stream = io.BufferedWriter(FullDisk())
    with pytest.raises(RunError, match="no space left"):
        log.write({"v": 1})
    with pytest.raises(RunError, match="no space left"):
        log.close()


def test_a_folder_in_the_place_of_the_log_is_explained(tmp_path):
    (tmp_path / "m.jsonl").mkdir()
    with pytest.raises(RunError, match="cannot write in"):
        MetricsLog(tmp_path / "m.jsonl", 0)
