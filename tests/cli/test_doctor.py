"""`mtl doctor` from labels to findings and a file of better ones."""

import json

import pytest
import yaml


@pytest.fixture
def doctor(mtl):
    """Run it with the tiny encoder."""

    def call(*words, code=0):
        result = mtl("doctor", "backbone=tiny", *words)
        assert result.code == code, result.err
        return result

    return call


@pytest.fixture
def wordnet(cache):
    """A dictionary of one word, where `mtl offline add wordnet` would put it."""
    folder = cache / "offline" / "wordnet"
    folder.mkdir(parents=True, exist_ok=True)
    data = "00000000 05 n 01 crane 0 000 | a large wading bird\n"
    (folder / "data.noun").write_text(data)
    (folder / "index.noun").write_text("crane n 1 0 1 0 00000000\n")
    for kind in ("verb", "adj", "adv"):
        (folder / f"data.{kind}").write_text("")
        (folder / f"index.{kind}").write_text("")
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_labels_alone_are_looked_at_and_what_is_missing_is_said(doctor):
    found = doctor("--labels", "spam,not spam,LABEL_0,card_arrival").out
    assert "'LABEL_0' is a code; no model knows what for" in found
    assert "'not spam' is 'spam' with a negation" in found
    assert '"card_arrival=card arrival"' in found
    assert "not seen what the engine makes of texts: give some with --file or --text, labels are not needed." in found
    assert "the labels as they might be said (doctor.suggest=FILE.yaml writes them):" in found
    assert '  text: "card arrival"' in found


def test_texts_show_what_the_engine_does_with_the_labels(doctor, tmp_path):
    (tmp_path / "t.txt").write_text("".join(f"text number {i}\n" for i in range(30)))
    found = json.loads(doctor("--labels", "good,Good", "--file", "t.txt", "doctor.sample=20", "--json").out)
    assert (found["labels"], found["texts"]) == (2, 20)
    assert found["findings"][0]["found"] == "'good', 'Good' differ in case or punctuation alone"
    assert not any("makes of texts" in reason for reason in found["left_out"])
    assert found["engine"].startswith("embed, random")


def test_the_suggestion_is_written_and_read_back(doctor, mtl, tmp_path, wordnet):
    words = ("--labels", "crane,card_arrival", "--text", "a", "--text", "b")
    found = doctor(*words, "doctor.suggest=better.yaml")
    better = yaml.safe_load((tmp_path / "better.yaml").read_text())
    assert better["card_arrival"] == {"text": "card arrival"}
    assert better["crane"] is None
    gloss = '# description: "crane: a large wading bird"  # WordNet: crane, noun 1 of 1'
    assert gloss in (tmp_path / "better.yaml").read_text()
    assert "best label of how many of 2 sampled texts" in found.out
    assert "are in better.yaml; edit it and give it as --labels" in found.out
    answered = mtl("zeroshot", "backbone=tiny", "--labels", "better.yaml", "--text", "a")
    assert list(json.loads(answered.out)["scores"]) == ["crane", "card_arrival"]


def test_shares_before_and_after_are_those_of_the_answers(doctor, mtl, tmp_path):
    texts = [f"{'ab' * i} {i}" for i in range(12)]
    (tmp_path / "t.txt").write_text("\n".join(texts) + "\n")
    words = ("--file", "t.txt", "out.folder=never")
    found = json.loads(doctor("--labels", "one_two,other_word", *words, "--json", "doctor.suggest=b.yaml").out)
    for labels, key in (("one_two,other_word", "now"), ("b.yaml", "suggested")):
        answers = [
            json.loads(line) for line in mtl("zeroshot", "backbone=tiny", "--labels", labels, *words).out.splitlines()
        ]
        share = sum(answer["label"] == "one_two" for answer in answers) / len(texts)
        assert found["shares"]["one_two"][key] == pytest.approx(share, abs=1e-6)


def test_words_of_a_verbalizer_are_looked_at_too(doctor, wordnet):
    words = ("verbalizer=wordnet", f"verbalizer.path={wordnet}", "verbalizer.sense=first", "verbalizer.describe=true")
    found = json.loads(doctor(*words, "--labels", "crane,other", "--json", "doctor.tokens=10").out)["findings"]
    (long,) = (one for one in found if one["found"].endswith("more than 10 tokens, of which each counts less"))
    assert long["labels"] == ["crane"], "its gloss is its description now"


def test_standard_input_is_read_only_if_it_is_named(doctor, monkeypatch):
    class Untouchable:
        def isatty(self):
            return False

        @property
        def buffer(self):
            raise AssertionError("standard input was read")

    monkeypatch.setattr("sys.stdin", Untouchable())
    doctor("--labels", "spam,eggs")


def test_labels_that_an_engine_refuses_are_still_looked_at(doctor, trained, tmp_path):
    (tmp_path / "l.yaml").write_text("good:\nnothing: {text: ''}\n")
    found = json.loads(
        doctor(
            "method=nli",
            f"run={trained}",
            "method.task=rte",
            "--labels",
            "l.yaml",
            "--text",
            "a",
            "--template",
            "{}",
            "--json",
        ).out
    )
    assert found["findings"][0]["found"] == "'nothing': nothing is left for the model's tokenizer"
    assert any(
        "it refuses the labels (labels.nothing: '' is nothing to the model's tokenizer" in one
        for one in found["left_out"]
    )
    assert found["texts"] == 0


def test_odd_labels_do_no_harm(doctor, tmp_path):
    names = ["{}", "a, b", "日本語", "🙂", "смысл", "x" * 3000, "ünï", '"q"']
    (tmp_path / "l.yaml").write_text(yaml.safe_dump(names, allow_unicode=True, width=10**6))
    found = json.loads(doctor("--labels", "l.yaml", "--text", "x", "--json", "doctor.suggest=s.yaml").out)
    assert found["labels"] == len(names)
    assert set(yaml.safe_load((tmp_path / "s.yaml").read_text())) == set(names)


def test_what_cannot_be_asked_is_refused(doctor, mtl):
    assert "there must be at least two labels; found 1" in doctor("--labels", "one", code=2).err
    assert (
        "doctor.similar: must lie between 0 and 1; found 2" in doctor("--labels", "a,b", "doctor.similar=2", code=2).err
    )
    assert "unknown key" in doctor("--labels", "a,b", "doctor.simlar=.5", code=2).err


def test_the_config_is_that_of_zeroshot_with_a_section_of_its_own(doctor):
    shown = yaml.safe_load(doctor("--labels", "a,b", "doctor.sample=7", "--cfg").out)
    assert shown["doctor"]["sample"] == 7
    assert shown["batch_tokens"] == 1024
