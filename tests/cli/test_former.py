"""Flags of earlier versions: each names its key, and what it says to type works."""

import shlex

import pytest

from mtl_cli.cli.former import _EXAMPLES

ASK = ("--labels", "pos,neg", "--text", "x")
OF_DOCTOR = {flag for flag, example in _EXAMPLES.items() if example.startswith("doctor.")}


@pytest.mark.parametrize("flag", _EXAMPLES)
def test_a_former_flag_is_refused_with_what_to_type(mtl, flag):
    for command in ("zeroshot", "doctor"):
        for words in ((flag, "v"), (f"{flag}=v",), (flag,)):
            result = mtl(command, *ASK, *words)
            assert (result.code, result.out, result.err) == (2, "", f"mtl: {flag} is a key now: {_EXAMPLES[flag]}\n")


@pytest.mark.parametrize("flag", _EXAMPLES)
def test_what_it_says_to_type_changes_the_config(mtl, flag):
    command = "doctor" if flag in OF_DOCTOR else "zeroshot"
    several = ("decide.multi_label=true",) if flag == "--threshold" else ()
    before = mtl(command, *ASK, *several, "doctor.sample=1" if flag == "--sample" else "seed=1", "--cfg").out
    for example in _EXAMPLES[flag].split(", or "):
        typed = [word.replace("=100", "=99").replace("=0.5", "=0.4") for word in shlex.split(example)]
        after = mtl(command, *ASK, *several, *typed, "--cfg")
        assert (after.code, after.err) == (0, "")
        assert after.out != before


def test_all_former_flags_of_a_call_are_named_at_once(mtl):
    err = mtl("zeroshot", *ASK, "--abstain", "0.6", "--prior", "uniform", "--cache").err
    assert err.splitlines()[0].startswith("mtl: --abstain is a key now: decide.abstain=0.6")
    assert [line.split(" ")[0] for line in err.splitlines()[1:]] == ["--prior", "--cache"]


def test_a_word_that_only_looks_like_one_is_a_value(mtl):
    shown = mtl("zeroshot", "--labels", "pos,neg", "--text=--abstain", "--cfg")
    assert "- --abstain" in shown.out


def test_other_unknown_flags_are_refused_as_ever(mtl):
    result = mtl("zeroshot", *ASK, "--nothing")
    assert (result.code, result.out) == (2, "")
    assert "No such option: --nothing" in result.err
