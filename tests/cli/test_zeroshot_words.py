"""`mtl zeroshot verbalizer=NAME`: words are found once, written, and read back."""

import json

import pytest

from tests.zeroshot.lexicon.test_conceptnet import line
from tests.zeroshot.lexicon.tiny_wordnet import write_wordnet

TEXTS = ("a loan", "by the water", "my credit card is lost", "good morning")
WORDNET = ("verbalizer=wordnet", "verbalizer.path=wn", "verbalizer.describe=true", "verbalizer.least_similarity=null")
OPTIONS = ("backbone=tiny", "method=embed", "bootstrap=20")


@pytest.fixture
def ask(mtl, tmp_path):
    (tmp_path / "t.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    write_wordnet(tmp_path / "wn")

    def call(*words, labels="bank,CreditCard", code=0):
        result = mtl("zeroshot", *OPTIONS, "--labels", labels, "--file", "t.txt", "out.folder=never", *words)
        assert (result.code, "Traceback" in result.err) == (code, False), result.err
        return result

    return call


def test_the_words_file_asks_the_same_question(ask, tmp_path):
    plain = ask()
    found = ask(*WORDNET, "words_file=w.yaml")
    assert "words    CreditCard: charge card; credit card, noun 1 of 1 (the only one)" in found.err
    assert ask(labels="w.yaml").out == found.out != plain.out


def test_conceptnet_and_the_model_s_own_table_are_other_sources(ask, tmp_path):
    (tmp_path / "dump.csv").write_text(line("Synonym", "/c/en/bank", "/c/en/shore"), encoding="utf-8")
    found = ask(
        "verbalizer=conceptnet", "verbalizer.path=dump.csv", "verbalizer.least_similarity=null", "words_file=w.yaml"
    )
    assert "words    bank: shore" in found.err
    assert ask(labels="w.yaml").out == found.out
    assert "the model's tokens are no words" in ask("verbalizer=related").err


def test_a_run_keeps_the_words_that_it_began_with(mtl, ask, tmp_path):
    words = ("zeroshot", *OPTIONS, "--labels", "bank,CreditCard", "--file", "t.txt", *WORDNET, "--out", "r")
    run = mtl(*words).run
    whole = (run / "predictions/input.jsonl").read_text(encoding="utf-8")
    assert [json.loads(one) for one in whole.splitlines()] == [
        json.loads(one) for one in ask("--labels", str(run / "words.yaml")).out.splitlines()
    ]
    # As if it had been killed after its first answer; what would be found now is something else.
    (run / "summary.json").unlink()
    (run / "predictions/input.jsonl").write_text(whole.splitlines(keepends=True)[0], encoding="utf-8")
    kept = (run / "words.yaml").read_bytes()
    write_wordnet(tmp_path / "wn", counts={("bank", "bank.money"): 99})
    assert mtl(*words, "out.if_exists=resume").code == 0
    assert (run / "predictions/input.jsonl").read_text(encoding="utf-8") == whole
    assert (run / "words.yaml").read_bytes() == kept


def test_a_run_whose_words_are_of_other_labels_is_not_gone_on_with(mtl, ask):
    words = ("zeroshot", *OPTIONS, "--labels", "bank,card", "--file", "t.txt", "--out", "r")
    run = mtl(*words).run
    (run / "summary.json").unlink()
    (run / "words.yaml").write_text("bank:\nriver:\n", encoding="utf-8")
    result = mtl(*words, "out.if_exists=resume")
    assert result.code == 1
    assert "words.yaml holds other labels than the run began with. Start over with another out.name." in result.err


def test_label_sets_of_rows_take_no_words(ask):
    err = ask("verbalizer=related", "input.labels_column=set", code=2).err
    assert "verbalizer: needs one label set for all texts; input.labels_column gives each text its own" in err


def test_a_wrong_option_and_a_source_that_is_not_there_are_told(ask):
    assert "verbalizer.dept: unknown key" in ask("verbalizer=wordnet", "+verbalizer.dept=2", code=2).err
    assert (
        "verbalizer.path: there is no WordNet in nowhere"
        in ask("verbalizer=wordnet", "verbalizer.path=nowhere", code=2).err
    )
    assert (
        "verbalizer: most must be 0 or more, longest 1 or more, weight above 0"
        in ask("verbalizer=related", "verbalizer.weight=0", code=2).err
    )
