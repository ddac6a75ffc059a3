"""What stands above every engine: priors, temperature, abstention, several labels, run folders."""

import io
import json

import pytest

BASE = ("zeroshot", "--labels", "pos,neg", "backbone=tiny")
SHARES = ("prior=shares", "prior.shares={pos: .7, neg: .3}")
GOLD = [(f"a text number {i} about {'joy' if i % 3 else 'grief'}", "pos" if i % 3 else "neg") for i in range(60)]


@pytest.fixture
def gold(tmp_path):
    """A function: rows -> a CSV file with a gold column."""

    def write(rows, name="gold.csv"):
        (tmp_path / name).write_text("text,label\n" + "".join(f"{t},{g}\n" for t, g in rows), encoding="utf-8")
        return tmp_path / name

    return write


def answers(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("prior", [("prior=uniform",), ("prior=em",), ("prior=sample",), SHARES])
def test_a_sorted_file_is_answered_as_a_mixed_one_whatever_the_prior(mtl, gold, prior):
    mixed = mtl(*BASE, "--file", gold(GOLD), *prior)
    ordered = mtl(*BASE, "--file", gold(sorted(GOLD, key=lambda row: row[1]), "sorted.csv"), *prior)
    assert mixed.code == ordered.code == 0, mixed.err + ordered.err
    one, other = ({a["text"]: a["scores"] for a in answers(r.out)} for r in (mixed, ordered))
    assert one.keys() == other.keys()
    for text, scores in one.items():
        assert other[text] == pytest.approx(scores, abs=2e-6)


def test_known_shares_are_those_of_the_mean_prediction(mtl, gold):
    result = mtl(*BASE, "--file", gold(GOLD), *SHARES)
    found = answers(result.out)
    assert sum(a["scores"]["pos"] for a in found) / len(found) == pytest.approx(0.7, abs=1e-4)


def test_texts_below_the_probability_get_no_label_but_all_scores(mtl, gold):
    result = mtl(*BASE, "--file", gold(GOLD), "decide.abstain=0.999999")
    assert {a["label"] for a in answers(result.out)} == {None}
    assert all(set(a["scores"]) == {"pos", "neg"} for a in answers(result.out))
    assert "none of the 60 rows with gold labels was answered" in result.err


def test_rows_that_a_temperature_is_fitted_on_are_in_no_score(mtl, gold):
    result = mtl(*BASE, "--file", gold(GOLD), "calibrate.fit=20")
    assert result.code == 0, result.err
    assert sum(a.get("held", False) for a in answers(result.out)) == 20
    assert "temperature" in result.err
    assert "40 rows" in result.err


def test_several_labels_do_not_depend_on_one_another(mtl):
    words = ("zeroshot", "backbone=tiny", "decide.multi_label=true", "--text", "a text about joy")
    two, three = mtl(*words, "--labels", "pos,neg"), mtl(*words, "--labels", "neg,other,pos")
    assert two.code == three.code == 0, two.err + three.err
    one, other = answers(two.out)[0]["scores"], answers(three.out)[0]["scores"]
    assert {name: other[name] for name in one} == pytest.approx(one, abs=2e-6)


def test_a_run_folder_holds_the_answers_and_is_not_filled_twice(mtl, gold):
    path, words = gold(GOLD), (*BASE, "prior=uniform", "--out", "mine")
    result = mtl(*words, "--file", path)
    assert result.code == 0, result.err
    assert result.out == "outputs/mine\n"
    written = result.run / "predictions" / "input.jsonl"
    summary = json.loads((result.run / "summary.json").read_text())
    assert (summary["rows"], summary["answered"], len(answers(written.read_text()))) == (60, 60, 60)
    again = mtl(*words, "--file", path, "out.if_exists=resume")
    assert (again.code, again.out) == (0, "outputs/mine\n")
    assert "is finished: nothing to do" in again.err
    refused = mtl(*words, "--file", path)
    assert refused.code == 2
    assert "out" in refused.err


def test_a_run_folder_that_was_cut_off_goes_on_behind_its_last_whole_answer(mtl, gold):
    path, words = gold(GOLD), (*BASE, "prior=uniform", "--out", "mine")
    run = mtl(*words, "--file", path).run
    whole = (run / "predictions" / "input.jsonl").read_bytes()
    (run / "summary.json").unlink()
    (run / "predictions" / "input.jsonl").write_bytes(whole[: len(whole) // 2])
    result = mtl(*words, "--file", path, "out.if_exists=resume")
    assert result.code == 0, result.err
    assert "resume   behind" in result.err
    assert (run / "predictions" / "input.jsonl").read_bytes() == whole
    assert (run / "summary.json").is_file()


ANSWER = b'{"text": "x", "label": "a", "scores": {"a": 0.6, "b": 0.4}}\n'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("env.json", b'{"mtl": "0.1"}', "outputs/cut cannot be resumed: an earlier version of mtl began it"),
        ("env.json", b'{"threads": 99999999, "arithmetic": "a"}', "env.json is damaged: Expected `int` <= 4096 - at `$.threads`"),
        ("decision.json", b"[" * 100_000, "decision.json is damaged: Expected `object`, got `array`"),
        ("decision.json", b'{"temperature": 0, "shift": null, "threshold": null}', "Expected `float` > 0.0"),
        ("decision.json", b'{"temperature": 1, "shift": {"a": 1}, "threshold": null}', "its shift is not that of the labels"),
        ("predictions/input.jsonl", ANSWER.replace(b"0.6", b'"much"'), "input.jsonl is damaged in line 1: Expected `float`"),
        ("predictions/input.jsonl", ANSWER.replace(b'"label": "a", ', b""), "is damaged in line 1: it holds no answer"),
        ("predictions/input.jsonl", ANSWER.replace(b', "b": 0.4', b""), "input.jsonl:1: the answer is not about the labels of its text"),
    ],
)  # fmt: skip
def test_a_damaged_run_folder_of_answers_is_not_resumed_and_says_why(mtl, tmp_path, name, content, message):
    words = (*BASE, "--labels", "a,b", "--text", "x", "--out", "cut")
    assert mtl(*words).code == 0
    (tmp_path / "outputs/cut/summary.json").unlink()
    (tmp_path / "outputs/cut" / name).write_bytes(content)
    result = mtl(*words, "out.if_exists=resume")
    assert result.code in (1, 2)
    assert result.out == ""
    assert message in result.err
    assert "another out.name" in result.err


def test_a_run_folder_refuses_to_go_on_over_another_input(mtl, gold):
    words = (*BASE, "--out", "mine")
    run = mtl(*words, "--file", gold(GOLD)).run
    (run / "summary.json").unlink()
    result = mtl(*words, "--file", gold(GOLD[::-1]), "out.if_exists=resume")
    assert result.code == 2 or result.code == 1
    assert "the input has changed since the run began" in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("prior=shares", "prior.shares={pos: .7, nig: .3}"), "nig"),
        (("prior=shares", 'prior.shares="pos=x,neg=.3"'), "the share of 'pos' must be a number"),
        (("prior=unifrom",), "uniform"),
        (("decide.target_precision=0.95", "decide.hold=5"), "5 rows cannot show a precision of 0.95"),
        (("calibrate.fit=500",), "needs 500 texts with gold labels"),
    ],
)
def test_what_cannot_be_is_said(mtl, gold, words, message):
    result = mtl(*BASE, "--file", gold(GOLD), *words)
    assert result.code in (1, 2)
    assert message in result.err
    assert result.out == ""


def test_a_precision_that_cannot_be_shown_is_answered_with_the_best_that_can(mtl, gold):
    words = ("--file", gold(GOLD), "decide.hold=45", "bootstrap=20")
    result = mtl(*BASE, *words, "decide.target_precision=0.94")
    assert result.code == 0, result.err
    line = next(line for line in result.err.splitlines() if "no threshold shows a precision of 0.94" in line)
    assert "on 45 held gold texts (confidence 0.9): nothing is answered. The best that can be shown is " in line
    assert "hold out more gold texts (decide.hold=90)" in line
    best = line.partition("(decide.target_precision=")[2].partition(")")[0]
    again = mtl(*BASE, *words, f"decide.target_precision={best}")
    assert f"reaches a precision of {best} on 45 held gold texts" in again.err


def test_keys_without_effect_are_reported(mtl, gold):
    words = ("--file", gold(GOLD), "split=test", "calibrate.sample=9", "out.if_exists=resume")
    result = mtl(*BASE, *words)
    assert result.code == 0, result.err
    assert "warning  split has no effect: no task is named whose rows would be read (task=NAME)" in result.err
    assert "warning  calibrate.sample has no effect: method embed does not use it" in result.err
    assert "out.if_exists has no effect" in result.err
    assert "has no effect" not in mtl(*BASE, "--file", gold(GOLD), "calibrate.sample=9", "prior=sample").err
    bare = mtl(*BASE, "--text", "x", "bootstrap=7")
    assert "bootstrap has no effect: no row that is scored has a gold label" in bare.err


def test_a_limit_takes_the_same_rows_of_a_file_for_every_seed_and_the_first_of_a_stream(mtl, gold, monkeypatch):
    path = gold(GOLD)
    words = ("--file", path, "limit=7", "out.folder=never")
    few, other = mtl(*BASE, *words), mtl(*BASE, *words, "seed=5", "prior=sample")
    assert few.code == 0, few.err
    texts = [answer["text"] for answer in answers(few.out)]
    assert texts == [answer["text"] for answer in answers(other.out)]
    everything = [text for text, _ in GOLD]
    assert len(texts) == 7
    assert texts == [text for text in everything if text in texts] != everything[:7]
    assert len(answers(mtl(*BASE, "--file", path, "limit=700").out)) == len(GOLD)
    named = mtl(*BASE, "--text", "x", "--text", "y", "limit=1")
    assert "limit has no effect: --text names every text" in named.err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\nthree\n")))
    assert [answer["text"] for answer in answers(mtl(*BASE, "limit=2").out)] == ["one", "two"]


def test_the_doctor_takes_the_limit_of_a_file(mtl, gold):
    result = mtl("doctor", "--labels", "pos,neg", "backbone=tiny", "--file", gold(GOLD), "limit=5", "--json", "-q")
    assert result.code == 0, result.err
    assert json.loads(result.out)["texts"] == 5
