"""Standard output that takes no more, readers that go away, streams that are closed."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mtl_cli.cli.app import EXIT_CODES, main
from tests.conftest import TINY

ASK = ("zeroshot", "--labels", "a,b", "backbone=tiny", "-q")
FULL = "mtl: cannot write to standard output: No space left on device\n"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, cache):
    """Run a command in this process with a standard output of one's own; code and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTL_CACHE", str(cache))
    monkeypatch.delenv("MTL_OUTPUTS", raising=False)

    def call(stdout, *words):
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "argv", ["mtl", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        assert sys.stdout is stdout
        return caught.value.code, capsys.readouterr().err

    return call


@pytest.mark.parametrize(
    "words",
    [
        ("ls",),
        ("ls", "task"),
        ("--help",),
        ("--version",),
        ("train", "--help"),
        ("train", "--cfg"),
        ("zeroshot", "--cfg"),
        ("runs", "ls", "--json", "."),
        ("check", *TINY, "task=rte"),
        (*ASK, "--text", "x"),
        (*ASK, "--text", "x", "format=table"),
        ("doctor", "--labels", "a,b", "backbone=tiny", "-q"),
    ],
    ids=" ".join,
)
def test_a_full_disk_is_one_line_and_exit_code_1(run, words):
    with Path("/dev/full").open("w") as full:
        code, err = run(full, *words)
    assert (code, err.splitlines(keepends=True)[-1], err.count("mtl: ")) == (1, FULL, 1)
    code, err = run(None, *words)
    assert (code, err.splitlines()[-1]) == (1, "mtl: cannot write to standard output: it is closed")


def test_answers_in_a_run_folder_outlive_a_full_disk(run, tmp_path):
    with Path("/dev/full").open("w") as full:
        code, err = run(full, *ASK, "--text", "x", "--text", "y", "out.folder=always")
    assert code == 1
    (folder,) = (tmp_path / "outputs").iterdir()
    assert (
        f"{FULL.strip()}; 1 texts are answered and saved in outputs/{folder.name}. To go on: the same command with --out"
        in err
    )
    assert (folder / "predictions/input.jsonl").read_text().count("\n") == 1


def test_a_reader_that_goes_away_gives_141_and_no_message(run):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        assert run(gone, *ASK, "--text", "x") == (128 + signal.SIGPIPE, "")


def test_what_the_encoding_lacks_is_written_as_its_code_point(run):
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    code, err = run(output, *ASK, "--text", "caf\u00e9")
    assert (code, err) == (0, "")
    assert b'{"text": "caf\\xe9"' in output.buffer.getvalue()


@pytest.mark.parametrize("stderr", [None, "full"])
def test_messages_that_cannot_be_written_stop_no_work(run, monkeypatch, stderr, tmp_path):
    output = io.StringIO()
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", stderr and full)
        code, _ = run(output, "zeroshot", "--labels", "a,b", "backbone=tiny", "--text", "x", "--out", "one")
        assert (code, output.getvalue()) == (0, "outputs/one\n")
        assert "encoder" in (tmp_path / "outputs/one/log.txt").read_text()
        assert run(output, "ls", "nothing")[0] == 2


def test_standard_input_that_is_closed_is_told(mtl, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    result = mtl(*ASK, "--file", "-")
    assert (result.code, result.out) == (2, "")
    assert result.err == "mtl: standard input is closed: give the texts with --text or --file\n"


def test_help_and_the_page_on_runs_list_the_same_exit_codes(mtl):
    shown = " ".join(mtl("--help").out.split())
    assert " ".join(EXIT_CODES.split()) in shown
    page = mtl("help", "runs").out.partition("## Exit codes")[2]
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")][2:]
    assert [number for number, _ in rows] == ["0", "1", "2", "130", "141", "143"]
    for number, meaning in rows:
        assert f"{number} {' '.join(meaning.split()[:2])}" in EXIT_CODES


def test_a_whole_process_with_closed_streams_opens_no_file_in_their_place():
    command = f'"{sys.executable}" -m mtl_cli.cli.app ls <&- >&- 2>&-'
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 1
    command = f'"{sys.executable}" -m mtl_cli.cli.app ls task > /dev/full'
    found = subprocess.run(["/bin/sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert (found.returncode, found.stderr) == (1, FULL)
