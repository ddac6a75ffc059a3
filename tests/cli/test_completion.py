"""Shell completion: the words that a shell hands over, and the answers it puts in their place."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from mtl_cli.cli.completion import complete


def ask(incomplete, *words, command="train", config_dir=None):
    context = SimpleNamespace(info_name=command, params={"overrides": list(words), "config_dir": config_dir})
    return complete(context, incomplete)


@pytest.fixture
def bash(monkeypatch, capsys):
    """Ask as bash does: words as they stand on the line, broken at `=`, and the place of the cursor."""

    def call(*words, at=-1):
        from mtl_cli.cli.app import app

        monkeypatch.setenv("_MTL_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["mtl", *words]))
        monkeypatch.setenv("COMP_CWORD", str(range(1 + len(words))[at]))
        with pytest.raises(SystemExit) as stopped:
            app(prog_name="mtl")
        out, err = capsys.readouterr()
        assert (stopped.value.code, err) == (0, "")
        return out.split()

    return call


def test_options_of_a_group_are_completed():
    assert ask("task=sic") == ["task=sick_e", "task=sick_r"]
    assert ask("weighting=sta") == ["weighting=static"]


def test_groups_and_keys_are_completed():
    assert ask("optim.l") == ["optim.layer_decay=", "optim.lr="]
    assert ask("ta") == ["task=", "tasks."]
    assert ask("~ta") == ["~task"]


def test_nothing_typed_lists_the_groups_and_sections_and_nothing_of_hydras_own():
    found = ask("")
    assert {"task=", "backbone=", "optim.", "seed="} <= set(found)
    assert not [word for word in found + ask("~") if "hydra" in word]


@pytest.mark.parametrize(
    ("command", "word", "answers"),
    [
        ("affinity", "measure.k", ["measure.kind="]),
        ("affinity", "optim.lr", ["optim.lr="]),
        ("eval", "checkp", ["checkpoint="]),
        ("zeroshot", "labe", ["labels="]),
        ("check", "optim.lr", ["optim.lr="]),
        ("eval", "optim.l", []),
    ],
)
def test_each_command_completes_its_own_keys(command, word, answers):
    assert ask(word, command=command) == answers


def test_affinity_of_a_run_completes_the_keys_of_that_question():
    assert ask("sour", "run=outputs/x", command="affinity") == ["source="]
    assert ask("sour", command="affinity") == []


def test_a_folder_of_ones_own_is_looked_at(tmp_path, monkeypatch):
    (tmp_path / "task").mkdir()
    (tmp_path / "task/mine.yaml").write_text("# @package _global_\ntasks: {}\n")
    assert ask("task=mi", config_dir=str(tmp_path)) == ["task=mine"]
    assert ask("task=mi") == []
    monkeypatch.setenv("MTL_CONFIGS", str(tmp_path))
    assert ask("task=mi") == ["task=mine"]


@pytest.mark.parametrize(
    "word",
    [
        "nosuch=",
        "task==",
        "[",
        "task=[",
        "{",
        "${",
        "seed=${",
        "optim.lr.x",
        "optim.betas.9",
        "é",
        "@",
        "a:b",
        "hydra.r",
    ],
)
def test_broken_input_gives_nothing_and_no_traceback(word):
    assert ask(word) == []


def test_a_folder_that_is_not_there_gives_nothing():
    assert ask("task=s", config_dir="nowhere") == []


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        (("train", "task", "=", "sic"), ["sick_e", "sick_r"]),
        (("train", "weighting", "=", "sta"), ["static"]),
        (("train", "sharing", "="), ["groups", "hard"]),
        (("train", "task", "=", "rte", "sharing", "="), ["groups", "hard"]),
        (("train", "optim.l"), ["optim.layer_decay=", "optim.lr="]),
        (("train", "task", "=", "rte", "optim.l"), ["optim.layer_decay=", "optim.lr="]),
        (("eval", "task", "=", "rt"), ["rte"]),
        (("ls", "samp"), ["sampler"]),
        (("zero",), ["zeroshot"]),
        (("train", "task", "=", "["), []),
        (("train", "'", "task", "="), []),
    ],
)
def test_bash_gets_what_belongs_in_the_place_of_its_last_word(bash, words, answers):
    assert bash(*words) == answers


def test_behind_an_equals_sign_bash_gets_every_option(bash):
    assert {"rte", "sst2", "glue_mix"} <= set(bash("train", "task", "="))
    assert not [word for word in bash("train", "task", "=") if "=" in word]


def test_in_the_middle_of_a_line_the_word_at_the_cursor_counts(bash):
    assert bash("train", "sharing", "=", "seed", "=", "1", at=3) == ["groups", "hard"]


def test_behind_a_finished_word_keys_are_offered(bash):
    assert "optim." in bash("train", "task", "=", "rte", "")


def test_a_shell_that_keeps_words_whole_gets_whole_words(bash):
    assert bash("train", "weighting=sta") == ["weighting=static"]


def test_a_real_process_answers_and_imports_no_torch():
    code = "import sys; sys.argv[0] = 'mtl'\nfrom mtl_cli.cli.app import main\ntry:\n main()\nexcept SystemExit: pass\n"
    code += "import json; print(json.dumps('torch' in sys.modules))"
    variables = {"_MTL_COMPLETE": "complete_bash", "COMP_WORDS": "mtl train task = gl", "COMP_CWORD": "4"}
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **variables}
    )
    *answers, torch = shown.stdout.split()
    assert answers == ["glue", "glue_mix"]
    assert json.loads(torch) is False
