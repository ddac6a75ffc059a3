"""A mix with families left out, over the bundled sample."""

import json

import pytest

from tests.conftest import TINY

MIX = (
    *TINY, "task=[rte,match_sst2]", "+tasks.rte.head=entailment", "+tasks.rte.input=packed", "families.sentiment=[match_sst2]",
    "leave_out=[sentiment]", "train.steps=2", "ask.bootstrap=20", "run.name=mix",
)  # fmt: skip


@pytest.fixture(scope="module")
def left(tmp_path_factory, cache):
    from tests.cli.conftest import command

    folder = tmp_path_factory.mktemp("transfer")
    result = command(folder, cache, "transfer", *MIX)
    assert result.code == 0, result.err
    return folder, result


def test_every_run_is_asked_for_the_labels_of_the_family_that_one_of_them_left_out(left):
    folder, result = left
    assert result.out == "outputs/mix\n"
    runs = folder / "outputs/mix"
    tasks = {
        name: list(json.loads((runs / name / "summary.json").read_text())["tasks"])
        for name in ("core", "without_sentiment", "whole")
    }
    assert tasks == {"core": ["rte"], "without_sentiment": ["rte"], "whole": ["rte", "match_sst2"]}
    table = json.loads((runs / "transfer.json").read_text())
    (row,) = table["rows"]
    assert (row["family"], row["task"], row["rows"]) == ("sentiment", "match_sst2", 60)
    assert list(row["scores"]) == ["core", "without", "whole", "untrained"]


def test_the_same_run_gives_the_same_answers_so_nothing_was_added(left):
    """With one family left out of two tasks, the run without it is the core: the same rows, seed and steps."""
    folder, result = left
    (row,) = json.loads((folder / "outputs/mix/transfer.json").read_text())["rows"]
    assert row["scores"]["without"]["deltas"]["macro_f1"] == {"value": 0, "low": 0, "high": 0}
    line = next(line for line in result.err.splitlines() if line.startswith("sentiment"))
    assert "+0.0" in line
    assert "within noise" in line


def test_the_same_command_does_nothing_twice(left, cache):
    from tests.cli.conftest import command

    folder, first = left
    again = command(folder, cache, "transfer", *MIX)
    assert again.code == 0
    assert again.err.count("is finished: nothing to do") == 7
    assert again.err.splitlines()[-4:] == first.err.splitlines()[-4:]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("leave_out=[sentimen]",), "leave_out: there is no family 'sentimen'. Did you mean 'sentiment'?"),
        (
            ("families.sentiment=[match_sst]",),
            "families.sentiment: there is no task 'match_sst'. Did you mean 'match_sst2'?",
        ),
        (("families.sentiment=[rte]",), "families.sentiment: 'rte' is no label matching task"),
        (("families.sentiment=[rte,match_sst2]",), "families: hold every task"),
        (
            ("tasks.rte.head=null",),
            "asked of the head 'entailment', which no task outside the families trains: there is rte",
        ),
    ],
)
def test_families_that_cannot_be_left_out_are_told(mtl, words, message):
    result = mtl("transfer", *MIX[:-1], *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
