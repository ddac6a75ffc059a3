"""`mtl help`: what is there is listed and can be reached; tables are those of the shipped configs."""

import os
import pty
import re
import subprocess
import sys

import pytest

from mtl_cli.cli.topics import TOPIC_OF_COMMAND, all_topics, markdown
from mtl_cli.config.listing import groups, listed
from mtl_cli.errors import ConfigError
from tests.cli.test_help import modules_after

NAMES = [topic.name for topic in all_topics()]


def test_every_topic_is_listed_with_a_line(mtl):
    lines = mtl("help").out.splitlines()[: len(NAMES)]
    assert [line.split()[0] for line in lines] == NAMES
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_a_topic_is_headed_by_its_name_and_has_no_open_mark(mtl, name):
    result = mtl("help", name)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"# {name}: ")
    assert "<!--" not in result.out


@pytest.mark.parametrize("group", groups([]))
def test_each_group_has_a_topic_that_names_every_option_with_its_line(group):
    text = markdown(group)
    for option in listed(group, []):
        row = next(
            line for line in text.splitlines() if re.match(rf"\| `{option.name}` +\|", line) and option.about in line
        )
        assert row.endswith("|")


def test_a_table_has_the_keys_of_an_option_and_the_extra_that_it_needs():
    rows = {line.split("`")[1]: line for line in markdown("weighting").splitlines() if line.startswith("| `")}
    assert rows["cagrad"].endswith("| `params=all`, `rows=float32`, `c=0.5`, `rescale=1+c^2` |")
    assert "pip install 'mtl-cli[solvers]'" in rows["cagrad"]
    assert "pip install" not in rows["pcgrad"]
    methods = {line.split("`")[1]: line for line in markdown("method").splitlines() if line.startswith("| `")}
    assert methods["nli"].endswith("| `path=null`, `task=null`, `entailment=null`, `contradiction=null` |")
    assert methods["ensemble"].endswith("| `weights=null` |")  # a list is no value of a line


def test_an_option_of_the_user_is_in_the_table(mtl, tmp_path, monkeypatch):
    monkeypatch.setenv("MTL_CONFIGS", "mine")
    (tmp_path / "mine/sampler").mkdir(parents=True)
    (tmp_path / "mine/sampler/odd.yaml").write_text(
        "# mtl train sampler=odd    Odd rows | only\nname: uniform\nstart: 3 # at\n"
    )
    row = next(line for line in mtl("help", "sampler").out.splitlines() if "`odd`" in line)
    assert [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] == ["`odd`", r"Odd rows \| only", "`start=3`"]


def test_the_keys_of_a_command_are_its_config_with_the_comments(mtl):
    shown = mtl("help", "config").out
    assert "weight_decay: 0.01 # not on biases and norms" in shown


def test_the_plural_will_do(mtl):
    assert mtl("help", "samplers").out == mtl("help", "sampler").out
    assert mtl("help", "runs").out.startswith("# runs: ")


def test_an_unknown_topic_is_refused_with_a_suggestion(mtl):
    result = mtl("help", "wieghting")
    assert (result.code, result.out) == (2, "")
    assert result.err == "mtl: unknown topic 'wieghting'. Did you mean 'weighting'? `mtl help` lists all.\n"
    with pytest.raises(ConfigError, match="unknown topic '\\.\\./README'"):
        markdown("../README")


@pytest.mark.parametrize("command", TOPIC_OF_COMMAND)
def test_the_help_of_a_command_names_a_topic_that_is_there(mtl, command):
    topic = re.search(r"Read on: mtl help (\w+)", mtl(command, "--help").out)[1]
    assert topic in NAMES


def test_no_command_is_without_a_topic():
    import typer

    from mtl_cli.cli.app import app

    assert set(typer.main.get_command(app).commands) == set(TOPIC_OF_COMMAND)  # type: ignore[attr-defined]


def test_two_topics_and_flags_are_refused(mtl):
    result = mtl("help", "train", "eval")
    assert (result.code, result.out) == (2, "")
    assert "unexpected extra argument(s) (eval)" in result.err
    assert mtl("help", "--train").code == 2


def test_help_in_a_pipe_imports_nothing_heavy():
    code = "import sys; sys.argv = ['mtl', 'help', 'weighting']\ntry:\n import mtl_cli.cli.app as a; a.main()\nexcept SystemExit: pass"
    assert not {"torch", "hydra", "omegaconf", "yaml", "numpy", "rich"} & modules_after(code)


def test_on_a_terminal_it_is_formatted():
    """Through a real terminal: no Markdown signs are left, and the table is drawn."""
    parent, child = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    subprocess.run(
        [sys.executable, "-m", "mtl_cli.cli.app", "help", "prior"],
        stdout=child,
        env=environment,
        check=True,
        timeout=60,
    )
    os.close(child)
    text = b""
    while piece := _read(parent):
        text += piece
    shown = text.decode()
    assert "\x1b[" in shown
    assert "Batch calibration" in shown
    assert "##" not in shown
    assert "| `em`" not in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux reports the closed other end so
        return b""
