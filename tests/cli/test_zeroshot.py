"""`mtl zeroshot`: labels, texts and formats; scores that depend on nothing but the text and the labels."""

import io
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from tests.cli.test_eval import write

TEXTS = [
    "What a film!",
    "no",
    "Two hours of my life that I will never get back. " * 3,
    "été ☕",
    "ok then",
    "x" * 200,
    "b",
]


@pytest.fixture
def ask(mtl):
    """Run `mtl zeroshot` with the tiny encoder; answers as objects."""

    def call(*words, labels="good,bad"):
        flag = () if labels is None else ("--labels", labels)
        result = mtl("zeroshot", "backbone=tiny", "bootstrap=20", *flag, *words)
        assert result.code == 0, result.err
        return SimpleNamespace(answers=[json.loads(line) for line in result.out.splitlines()], err=result.err)

    return call


@pytest.fixture
def refused(mtl):
    def call(*words, labels="good,bad"):
        result = mtl("zeroshot", "backbone=tiny", "--labels", labels, *words)
        assert (result.code, result.out) == (2, ""), result.err
        assert "Traceback" not in result.err
        return result.err

    return call


@pytest.fixture
def stdin(monkeypatch):
    """Put bytes on standard input."""
    return lambda content: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def said(texts):
    return [word for text in texts for word in ("--text", text)]


def scores(found):
    return np.array([list(a["scores"].values()) for a in found.answers])


def texts_of(found):
    return [a["text"] for a in found.answers]


# Labels


def test_labels_of_a_yaml_file_have_texts_descriptions_and_templates(ask, tmp_path):
    (tmp_path / "l.yaml").write_text("a: {description: firms}\nb: {text: war, templates: ['about {}']}\nc:\n")
    found = ask("--text", "x", labels="l.yaml")
    assert list(found.answers[0]["scores"]) == ["a", "b", "c"]
    assert scores(found).tolist() == scores(ask("--text", "x", labels="firms,about war,c")).tolist()


def test_labels_may_be_an_override(ask):
    assert ask("labels=[good,bad]", "--text", "x", labels=None).answers == ask("--text", "x").answers


def test_a_template_is_put_around_every_label(ask):
    found = ask("--text", "x", "--template", "a {} film", labels="a=good,b=bad")
    assert scores(found).tolist() == scores(ask("--text", "x", labels="a good film,a bad film")).tolist()


def test_pos_and_neg_are_read_as_words_and_said_so(ask):
    found = ask("--text", "x", labels="pos,neg")
    assert "label 'pos' is read as 'positive'; write pos=... for another text" in found.err
    assert scores(found).tolist() == scores(ask("--text", "x", labels="positive,negative")).tolist()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("good", "there must be at least two labels; found 1"),
        ("good,bad,good", "--labels: good stands more than once"),
        ("good,,bad", "--labels: there is an empty label"),
        ("nowhere.yaml", "--labels: there is no file nowhere.yaml"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(refused, labels, message):
    assert message in refused("--text", "x", "format=table", labels=labels)


def test_without_labels_two_are_asked_for(mtl):
    assert "there must be at least two labels; found 0" in mtl("zeroshot", "backbone=tiny", "--text", "x").err


# Texts


def test_texts_of_the_flag_keep_their_order(ask):
    assert texts_of(ask(*said(TEXTS))) == TEXTS


def test_a_text_file_has_a_text_a_line(ask, tmp_path):
    (tmp_path / "t.txt").write_bytes(b"one\r\n\ntwo, three\n")
    assert texts_of(ask("--file", "t.txt")) == ["one", "two, three"]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_files_of_rows_are_read_by_column(ask, tmp_path, suffix):
    from tests.cli.test_train import write as write_rows

    write_rows(tmp_path / f"t.{suffix}", [{"title": "one", "n": "1"}, {"title": "zwei ☕", "n": "2"}])
    found = ask("--file", f"t.{suffix}", "input.text_column=title")
    assert texts_of(found) == ["one", "zwei ☕"]
    assert all(a.keys() == {"text", "label", "scores"} for a in found.answers)


def test_the_flag_and_a_file_go_together(ask, tmp_path):
    (tmp_path / "t.txt").write_text("two\n")
    assert texts_of(ask("--text", "one", "--file", "t.txt")) == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("one\ntwo été\n".encode(), ["one", "two été"]),
        (b"\xef\xbb\xbfone\r\n\r\ntwo", ["one", "two"]),
        (b'{"text": "one"}\n\n{"text": "{two}"}\n', ["one", "{two}"]),
        (b'\n  {"text": "one"}\n', ["one"]),
        (b'one\n{"text": "two"}\n', ["one", '{"text": "two"}']),
    ],
)
def test_standard_input_is_lines_or_json_lines(ask, stdin, content, texts):
    stdin(content)
    assert texts_of(ask()) == texts


def test_a_dash_is_standard_input_behind_the_texts_of_the_flag(ask, stdin):
    stdin(b"two\n")
    assert texts_of(ask("--text", "one", "--file", "-")) == ["one", "two"]


def test_a_pipe_is_read_and_answered_in_json_lines(cache, tmp_path):
    words = ["zeroshot", "backbone=tiny", "--labels", "pos,neg", "bootstrap=0"]
    shown = subprocess.run(
        [sys.executable, "-m", "mtl_cli.cli.app", *words], input='{"text": "one", "label": "neg"}\n{"text": "two"}\n',
        capture_output=True, text=True, cwd=tmp_path, check=True, env={**os.environ, "MTL_CACHE": str(cache)},
    )  # fmt: skip
    answers = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [(a["text"], a.get("gold")) for a in answers] == [("one", "neg"), ("two", None)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there are no texts: give --text, --file, or lines on standard input"),
        (b"\n \n", "there are no texts"),
        (b"\xff\n", "standard input:1: not UTF-8 text"),
        (b"one\n\xff\n", "standard input:2: not UTF-8 text"),
        (b'{"text": "one"}\n{"text": \n', "standard input:2: broken JSON"),
        (
            b'{"txt": "one"}\n',
            "standard input:1: input.text_column reads column 'text', which is missing. Columns here: txt",
        ),
        (b'{"text": null}\n', "standard input:1: column 'text' is null"),
    ],
)
def test_standard_input_that_cannot_be_read_is_told(refused, stdin, content, message):
    stdin(content)
    assert message in refused()


def test_a_file_that_is_not_there_is_told(refused):
    assert "there is no file t.csv" in refused("--file", "t.csv")


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("t.csv", "there is no file t.csv"),
        (".", ". is a folder: name a file in it"),
        ("x" * 5000 + ".csv", "File name too long"),
        ("bad.jsonl", "bad.jsonl:2: broken JSON at column"),
    ],
)
def test_what_is_wrong_with_a_file_is_not_blamed_on_its_gold_labels(refused, tmp_path, file, found):
    (tmp_path / "bad.jsonl").write_text('{"text": "a", "label": "good"}\n{\n')
    message = refused("--file", file)
    assert found in message
    assert "input.label_column" not in message
    assert len(message) < 400


def test_an_empty_text_is_answered_too(ask):
    found = ask("--text", "", "--text", "x")
    assert texts_of(found) == ["", "x"]
    assert np.isfinite(scores(found)).all()


def test_a_text_longer_than_the_encoder_is_cut_and_counted(ask):
    found = ask("--text", "y" * 400, "--text", "y" * 62, "--text", "y" * 63, "max_length=64")
    assert scores(found)[0].tolist() == scores(found)[1].tolist()
    assert "warning  2 texts were longer than the encoder takes and were cut (max_length)" in found.err


# Scores


def test_order_is_kept_over_more_than_one_block(ask, monkeypatch):
    whole = ask(*said(TEXTS))
    monkeypatch.setattr("mtl_cli.recipes.zeroshot.session.BLOCK", 3)
    monkeypatch.setattr("mtl_cli.recipes.zeroshot.filling.BLOCK", 3)
    cut = ask(*said(TEXTS))
    assert texts_of(cut) == TEXTS
    assert scores(cut) == pytest.approx(scores(whole), abs=1e-5)


def test_a_text_scores_the_same_alone_in_a_batch_and_in_any_order(ask):
    together, backwards = ask(*said(TEXTS)), ask(*said(TEXTS[::-1]))
    alone = [scores(ask("--text", text))[0] for text in TEXTS]
    assert scores(together) == pytest.approx(np.array(alone), abs=1e-5)
    assert scores(backwards)[::-1] == pytest.approx(scores(together), abs=1e-5)


def test_the_order_of_the_labels_permutes_the_scores_alone(ask):
    one, other = ask(*said(TEXTS), labels="good,bad,so so"), ask(*said(TEXTS), labels="so so,good,bad")
    assert scores(other) == pytest.approx(scores(one)[:, [2, 0, 1]], abs=1e-5)
    best = np.sort(scores(one), axis=1)
    clear = np.flatnonzero(
        best[:, -1] - best[:, -2] > 1e-4
    )  # other products of matrices may round a near tie to the other side
    assert len(clear)
    assert [one.answers[i]["label"] for i in clear] == [other.answers[i]["label"] for i in clear]


def test_scores_are_probabilities_and_the_label_is_the_highest(ask):
    found = ask(*said(TEXTS), labels=",".join(f"label {i}" for i in range(200)))
    assert scores(found).shape == (len(TEXTS), 200)
    assert scores(found).sum(1) == pytest.approx(1, abs=2e-4)  # 200 numbers rounded to six digits
    assert all(a["scores"][a["label"]] == max(a["scores"].values()) for a in found.answers)


def test_the_seed_decides_what_is_random_in_an_encoder(ask):
    assert ask("--text", "x").answers == ask("--text", "x").answers
    assert scores(ask("--text", "x")).tolist() != scores(ask("--text", "x", "seed=2")).tolist()


def test_temperature_sharpens_and_changes_no_decision(ask):
    sharp, flat = (
        ask(*said(TEXTS), "method=embed", "method.temperature=0.01"),
        ask(*said(TEXTS), "method=embed", "method.temperature=1"),
    )
    assert (scores(sharp).max(1) >= scores(flat).max(1)).all()
    assert [a["label"] for a in sharp.answers] == [a["label"] for a in flat.answers]


def test_a_run_lends_its_encoder(trained, mtl):
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = trained / "checkpoints/best/encoder"
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)

    def vector(text):
        with torch.inference_mode():
            mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        return (mean / mean.norm()).double().numpy()

    result = mtl("zeroshot", f"run={trained}", "--labels", "good,bad", "--text", "What a film!")
    logits = np.array([vector(label) @ vector("What a film!") for label in ("good", "bad")]) / 0.05
    expected = np.exp(logits) / np.exp(logits).sum()
    assert list(json.loads(result.out)["scores"].values()) == pytest.approx(expected, abs=1e-5)
    assert f"encoder  {trained}/checkpoints/step_" in result.err


def test_a_run_that_is_not_there_is_told(mtl):
    result = mtl("zeroshot", "run=outputs/x", "--labels", "good,bad", "--text", "x")
    assert (result.code, result.out) == (2, "")
    assert "outputs/x holds no run" in result.err


# Gold labels


def test_gold_labels_give_accuracy_and_macro_f1_on_standard_error(ask, tmp_path):
    gold = ["good", "bad", "bad", "good", "good", "bad", "bad"]
    write(tmp_path / "g.jsonl", [{"text": t, "label": g} for t, g in zip(TEXTS, gold, strict=True)])
    found = ask("--file", "g.jsonl")
    predicted = [a["label"] for a in found.answers]
    assert [a["gold"] for a in found.answers] == gold
    lines = {line.split()[2]: line.split() for line in found.err.splitlines() if line.startswith("zeroshot")}
    assert lines["accuracy"][3] == f"{100 * accuracy_score(gold, predicted):.1f}"
    assert lines["macro_f1"][3] == f"{100 * f1_score(gold, predicted, average='macro'):.1f}"
    assert lines["accuracy"][-1] == "7"
    assert "column 'label' is read as the gold label" in found.err


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_gold_labels_may_be_ids_or_missing(ask, tmp_path, suffix):
    (tmp_path / "g.csv").write_text("text,y\na,1\nb,0\nc,\nd,-1\n")
    write(tmp_path / "g.jsonl", [{"text": t, "y": y} for t, y in zip("abcd", (1, 0, None, -1), strict=True)])
    found = ask("--file", f"g.{suffix}", "input.label_column=y")
    assert [a.get("gold") for a in found.answers] == ["bad", "good", None, None]
    assert next(line for line in found.err.splitlines() if "accuracy" in line).split()[-1] == "2"


@pytest.mark.parametrize(
    ("values", "words", "gold"),
    [
        ((True, False), ("input.label_ids=[true,false]",), ["good", "bad"]), (("1.0", 0.0), (), ["bad", "good"]),
        ((" bad\u00a0", "go\u200bod"), (), ["bad", "good"]),
        ((-1, 1), ("input.label_ids=[-1,1]",), ["good", "bad"]), ((-1, 1), ("input.label_missing=-1",), [None, "bad"]),
    ],
)  # fmt: skip
def test_gold_labels_are_read_as_training_labels_are(ask, tmp_path, values, words, gold):
    write(tmp_path / "g.jsonl", [{"text": t, "label": y} for t, y in zip("ab", values, strict=True)])
    found = ask("--file", "g.jsonl", *words)
    assert [a.get("gold") for a in found.answers] == gold


def test_gold_labels_that_can_be_read_in_two_ways_are_refused_with_the_key_that_decides(refused, tmp_path):
    write(tmp_path / "g.jsonl", [{"text": t, "label": y} for t, y in zip("ab", (-1, 1), strict=True)])
    message = refused("--file", "g.jsonl")
    assert "-1 is good (1 row), 1 is bad (1 row); as ids, 1 is bad (1 row), and -1 is not a label (1 row)" in message
    assert "input.label_ids=[-1,1] or input.label_missing=-1" in message


def test_gold_ids_of_a_file_that_names_its_classes_are_read_by_those_names(ask, tmp_path):
    import datasets

    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["bad", "good"]))
    datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features).to_parquet(tmp_path / "g.parquet")
    assert [a["gold"] for a in ask("--file", "g.parquet").answers] == ["bad", "good"]


def test_lists_of_gold_ids_and_texts_with_labels_of_their_own_are_read_by_the_file_s_names(mtl, ask, tmp_path):
    import datasets

    label, text = datasets.ClassLabel(names=["bad", "good"]), datasets.Value("string")
    features = datasets.Features(text=text, label=datasets.Sequence(label))
    datasets.Dataset.from_dict({"text": ["a", "b"], "label": [[0], [0, 1]]}, features).to_parquet(
        tmp_path / "g.parquet"
    )
    assert [a["gold"] for a in ask("--file", "g.parquet", "decide.multi_label=true").answers] == [
        ["bad"],
        ["good", "bad"],
    ]
    features = datasets.Features(text=text, label=label, own=datasets.Sequence(text))
    rows = {"text": ["a", "b"], "label": [0, 1], "own": [["good", "bad"]] * 2}
    datasets.Dataset.from_dict(rows, features).to_parquet(tmp_path / "h.parquet")
    result = mtl("zeroshot", "backbone=tiny", "bootstrap=20", "--file", "h.parquet", "input.labels_column=own")
    assert result.code == 0, result.err
    assert [json.loads(line)["gold"] for line in result.out.splitlines()] == ["bad", "good"]


@pytest.mark.parametrize("lists", [[[0, 1], [1, 0]], [[True, False], [False, True]]], ids=str)
def test_gold_lists_that_may_say_yes_or_no_to_each_label_are_refused(refused, tmp_path, lists):
    write(tmp_path / "g.jsonl", [{"text": "a", "label": label} for label in lists])
    message = refused("--file", "g.jsonl", "decide.multi_label=true")
    assert "as the labels that apply, and as yes or no to each label" in message
    assert "set input.label_values=ids" in message


def test_a_gold_list_that_is_nested_without_end_is_no_list(refused, tmp_path):
    (tmp_path / "g.csv").write_text(f"text,label\na,{'[' * 100_000}\n")
    assert "is outside the label set" in refused("--file", "g.csv", "decide.multi_label=true")


def test_a_stream_is_read_as_its_first_rows_are_and_a_later_value_that_contradicts_them_is_refused(mtl, stdin):
    rows = [{"text": f"text {i}", "label": i % 2} for i in range(300)]
    lines = "".join(json.dumps(row) + "\n" for row in [*rows, {"text": "x", "label": "bad"}])
    stdin(lines.encode())
    result = mtl("zeroshot", "backbone=tiny", "bootstrap=20", "--labels", "good,bad")
    assert result.code == 2
    assert "gold labels are ids, read by the order of the labels: 0 is good, 1 is bad" in result.err
    assert (
        "standard input:301: column 'label', gold label 'bad' is not read as ids, as the labels before it are"
        in result.err
    )


def test_several_gold_labels_may_be_ids(ask, tmp_path):
    write(tmp_path / "g.jsonl", [{"text": t, "label": y} for t, y in zip("abc", ([0, 1], [1], []), strict=True)])
    found = ask("--file", "g.jsonl", "decide.multi_label=true")
    assert [a["gold"] for a in found.answers] == [["good", "bad"], ["bad"], []]


def test_an_unknown_gold_label_names_file_and_line(refused, tmp_path):
    (tmp_path / "g.csv").write_text("text,label\na,meh\n")
    message = refused("--file", "g.csv")
    assert (
        "g.csv:2: column 'label', gold label 'meh' is outside the label set: good, bad or an id from 0 to 1" in message
    )


def test_a_label_column_that_is_not_there_is_told(refused, tmp_path):
    (tmp_path / "g.csv").write_text("text,labels\na,good\n")
    assert "g.csv:2: input.label_column reads column 'label', which is missing" in refused(
        "--file", "g.csv", "input.label_column=label"
    )


# Formats


def test_a_table_has_columns_that_stand_under_their_heads(mtl):
    words = (
        "zeroshot",
        "backbone=tiny",
        "--labels",
        "good,ok,b",
        "format=table",
        *said(["a  b\nc", "x" * 100]),
    )
    head, rule, *rows = mtl(*words).out.splitlines()
    assert rule == "-" * len(head)
    assert len(rows) == 2
    for row in rows:
        assert row[: head.index("score")].strip() in ("good", "ok", "b")
        first, second = (float(row[at : at + 5]) for at in (head.index("score"), head.rindex("score")))
        assert first >= second
    assert [row[head.index("text") :] for row in rows] == ["a b c", "x" * 79 + "…"]


def test_on_a_terminal_the_answer_is_a_table(mtl, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    words = ("zeroshot", "backbone=tiny", "--labels", "good,bad", "--text", "x")
    assert mtl(*words).out.startswith("label  score  next")
    assert mtl(*words, "format=jsonl").out.startswith('{"text"')


def test_cfg_shows_what_the_flags_set_and_runs_nothing(mtl):
    shown = mtl("zeroshot", "--labels", "a=b,c", "--text", "x, y", "--template", "a {}", "--cfg")
    import yaml

    values = yaml.safe_load(shown.out)
    assert (values["labels"], values["input"]["texts"]) == ({"a": "b", "c": None}, ["x, y"])
    assert values["templates"] == ["a {}"]


def test_a_wrong_format_is_told(refused):
    assert "format: 'josn' is not one of 'auto', 'table', 'jsonl'" in refused("--text", "x", "format=josn")


def test_answers_keep_the_texts_own_letters(mtl):
    assert '"schön ☕"' in mtl("zeroshot", "backbone=tiny", "--labels", "gut,schlecht", "--text", "schön ☕").out


# What would be taken for something else


def csv_of(tmp_path, *rows):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    return str(path)


def test_ids_of_gold_labels_are_told_how_they_are_read(mtl, tmp_path):
    file = csv_of(tmp_path, ("a film", 0), ("no", 1))
    result = mtl("zeroshot", "backbone=tiny", "--labels", "pos,neg", "--file", file)
    assert result.code == 0
    assert "read by the order of the labels: 0 is pos, 1 is neg. If they mean others" in result.err
    named = mtl("zeroshot", "backbone=tiny", "--labels", "0=bad,1=good", "--file", file)
    assert "read by the order" not in named.err


def test_a_column_that_happens_to_be_called_label_can_be_left_out(mtl, tmp_path):
    file = csv_of(tmp_path, ("a film", "World"))
    result = mtl("zeroshot", "backbone=tiny", "--labels", "pos,neg", "--file", file)
    assert (result.code, "to read no gold labels: 'input.label_column=\"\"'" in result.err) == (2, True)
    assert mtl("zeroshot", "backbone=tiny", "--labels", "pos,neg", "--file", file, 'input.label_column=""').code == 0


def test_labels_that_are_not_told_apart_are_named(mtl):
    result = mtl("zeroshot", "backbone=tiny", "--labels", "good=bad,bad,fine", "--text", "x", "--text", "yy")
    assert "labels good, bad get the same score for every text" in result.err
    assert "`mtl doctor`" in result.err


def test_a_cache_that_an_engine_does_not_use_is_told(mtl):
    result = mtl("zeroshot", "backbone=tiny", "--labels", "a,b", "--text", "x", "cache=true")
    assert "method embed keeps no scores: cache has no effect" in result.err


@pytest.mark.parametrize("key", ["decide.curve", "words_file"])
def test_a_file_that_could_not_be_written_at_the_end_is_told_at_the_beginning(mtl, key):
    result = mtl("zeroshot", "backbone=tiny", "--labels", "a,b", "--text", "x", f"{key}=/nowhere/x.csv")
    assert (result.code, result.out) == (2, "")
    assert f"{key}: there is no folder /nowhere" in result.err


def test_a_reader_that_goes_away_loses_no_answer(tmp_path):
    rows = tmp_path / "rows.txt"
    rows.write_text("".join(f"text number {i}\n" for i in range(20_000)))
    words = [
        sys.executable,
        "-m",
        "mtl_cli.cli.app",
        "zeroshot",
        "backbone=tiny",
        "--labels",
        "a,b",
        "--file",
        str(rows),
    ]
    child = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    child.stdout.readline()
    child.stdout.close()
    said = child.stderr.read()
    child.stderr.close()
    assert child.wait() == 128 + 13
    assert "the reader of the answers has gone; " in said
    assert "To go on: the same command with --out zeroshot-" in said
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def test_a_label_whose_text_is_empty_is_refused(mtl):
    result = mtl("zeroshot", "backbone=tiny", "--labels", '"good=",bad', "--text", "x")
    assert result.code == 0, "nothing behind = is the name"
    result = mtl("zeroshot", "backbone=tiny", "labels={good: {text: ''}, bad: null}", "--text", "x")
    assert (result.code, "labels.good: its text is empty" in result.err) == (2, True)
