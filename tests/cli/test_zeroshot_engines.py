"""Several engines, or settings of one, on the same texts."""

import json

import pytest

ROWS = [("a fine film", "good"), ("a dull film", "bad"), ("what a joy", "good"), ("no", "bad"), ("so so", "good")] * 4
TINY = ("backbone=tiny", "bootstrap=50")


@pytest.fixture
def gold(tmp_path):
    path = tmp_path / "gold.jsonl"
    path.write_text(
        "".join(json.dumps({"text": f"{text} {i}", "label": label}) + "\n" for i, (text, label) in enumerate(ROWS))
    )
    return str(path)


def compare(mtl, file, *words):
    return mtl("zeroshot", "-m", *TINY, "--labels", "good,bad", "--file", file, "--out", "cmp", *words)


def test_points_are_answered_into_a_folder_each_and_compared_with_the_first(mtl, gold, tmp_path):
    result = compare(mtl, gold, "method=embed", "templates=['{}'],['It was {}.']")
    assert (result.code, result.out) == (0, "outputs/cmp\n")
    folder = tmp_path / "outputs/cmp"
    found = json.loads((folder / "compare.json").read_text())
    assert (found["texts"], found["gold"], len(found["rows"])) == (20, 20, 2)
    summaries = [json.loads((run / "summary.json").read_text()) for run in sorted(folder.glob("*/"))]
    accuracy = {s["tasks"]["zeroshot"]["metrics"][0]["value"] for s in summaries}
    assert {row["scores"]["metrics"]["accuracy"]["value"] for row in found["rows"]} == accuracy
    table = result.err[result.err.index("engine ") :]
    assert "templates=['{}']" in table
    assert "templates=['It was {}.']" in table
    assert (
        "20 of 20 rows with gold labels; delta, paired interval (50 resamples) and McNemar's exact test are against"
        in table
    )


def test_what_is_done_is_not_done_again_and_a_new_point_joins(mtl, gold, tmp_path):
    compare(mtl, gold, "method=embed", "seed=1,2")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("outputs/cmp/*/summary.json")}
    again = compare(mtl, gold, "method=embed", "seed=1,2,3")
    assert again.code == 0
    assert again.err.count("is finished: nothing to do") == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "seed=3" in again.err[again.err.index("engine ") :]


def test_without_gold_labels_agreement_is_told_and_no_score(mtl, tmp_path):
    (tmp_path / "t.txt").write_text("one\ntwo\n")
    result = compare(mtl, str(tmp_path / "t.txt"), "method=embed", "seed=1,2")
    assert result.code == 0
    table = result.err[result.err.index("engine ") :]
    assert "2 rows, none with a gold label; same label: as seed=1" in table
    assert "accuracy" not in table


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("method=embed",), "-m: no override has several values, such as method=embed,nli"),
        (("method=embed", "out.if_exists=skip,resume"), "-m: the run folder's own keys cannot be varied"),
        (("method=embed,embde",), "unknown method 'embde'. Did you mean 'embed'?"),
        (("method=embed,nli",), "method.path: nli needs a model that was trained on entailment"),
    ],
)
def test_what_cannot_be_compared_is_told(mtl, gold, words, message):
    result = compare(mtl, gold, *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_standard_input_cannot_be_read_twice(mtl):
    result = mtl("zeroshot", "-m", *TINY, "--labels", "good,bad", "--file", "-", "seed=1,2")
    assert (result.code, "standard input can be read once only" in result.err) == (2, True)


def test_an_ensemble_answers_with_its_members_and_says_which_spoke(mtl, gold):
    members = 'method.members=["method=embed", "method=embed backbone.width=48"]'
    words = ("method=ensemble", members, "--labels", "good,bad", "--file", gold, "explain=true")
    result = mtl("zeroshot", *TINY, *words)
    assert result.code == 0, result.err
    answers = [json.loads(line) for line in result.out.splitlines()]
    assert {answer["because"]["what"] for answer in answers} <= {"embed 1", "embed 2"}
    assert "agree on the best label of embed 1 and embed 2" in result.err
    shuffled = mtl("zeroshot", *TINY, *words[:4], "--file", gold, 'input.label_column=""', "explain=true")
    assert [json.loads(line)["scores"] for line in shuffled.out.splitlines()] == [
        answer["scores"] for answer in answers
    ]


def test_a_file_is_answered_on_standard_output_and_kept(mtl, gold, tmp_path):
    result = mtl("zeroshot", *TINY, "--labels", "good,bad", "--file", gold)
    (run,) = (tmp_path / "outputs").iterdir()
    assert (run / "predictions/input.jsonl").read_text() == result.out
    assert f"answers and summary are kept in outputs/{run.name}" in result.err
    never = mtl("zeroshot", *TINY, "--labels", "good,bad", "--file", gold, "out.folder=never")
    assert (never.out, len(list((tmp_path / "outputs").iterdir()))) == (result.out, 1)


def test_the_engine_is_chosen_and_told(mtl):
    result = mtl("zeroshot", *TINY, "--labels", "good,bad", "--text", "x")
    assert "method   embed: the backbone compares texts and labels" in result.err
