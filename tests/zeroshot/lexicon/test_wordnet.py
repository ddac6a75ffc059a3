"""The reader against files in WordNet's format that the test wrote itself."""

import re

import pytest

from mtl_cli.errors import DataError
from mtl_cli.zeroshot.lexicon.wordnet import WordNet
from tests.zeroshot.lexicon.tiny_wordnet import write_wordnet


@pytest.fixture
def wordnet(tmp_path):
    return WordNet(write_wordnet(tmp_path))


def glosses(wordnet, text):
    return [sense.synset.gloss for sense in wordnet.senses(text)]


def test_senses_come_by_how_often_they_were_met_across_parts_of_speech(wordnet):
    assert [(s.name, s.count) for s in wordnet.senses("bank")] == [
        ("bank, verb 1 of 1", 30), ("bank, noun 2 of 2", 20), ("bank, noun 1 of 2", 15),
    ]  # fmt: skip


def test_without_counts_they_come_by_number_nouns_first(tmp_path):
    wordnet = WordNet(write_wordnet(tmp_path))
    (tmp_path / "index.sense").unlink()
    assert [s.name for s in wordnet.senses("bank")] == ["bank, noun 1 of 2", "bank, verb 1 of 1", "bank, noun 2 of 2"]


def test_a_sense_has_its_words_and_its_definition_without_examples(wordnet):
    money = wordnet.senses("banking company")[0].synset
    assert (money.words, money.gloss) == (("bank", "banking company"), "a firm that lends money")


def test_an_adjective_loses_its_mark_of_place_and_near_senses_are_found(wordnet):
    good = wordnet.senses("good")[0].synset
    assert [near.words for near in wordnet.neighbours(good, ("&",))] == [("superb",)]
    assert glosses(wordnet, "superb") == ["of high quality"]


def test_narrower_senses_are_those_without_instances(wordnet):
    money = wordnet.senses("banking company")[0].synset
    assert [below.words for below in wordnet.neighbours(money, ("~",))] == [("savings bank", "thrift")]


def test_derived_words_are_those_of_the_word_itself(wordnet):
    money = wordnet.senses("banking company")[0].synset
    assert list(wordnet.derived(money, "bank")) == ["deposit"]
    assert list(wordnet.derived(money, "banking company")) == []


@pytest.mark.parametrize(("text", "gloss"), [
    ("banks", "a bank"), ("banked", "put into a bank"), ("men", ""), ("credit cards", "a card to pay with"),
    ("self-esteem", "a feeling of worth"), ("self esteem", "a feeling of worth"), ("credit-card", "a card to pay with"),
])  # fmt: skip
def test_base_forms_and_other_spellings_are_found(wordnet, text, gloss):
    assert any(found.startswith(gloss.removesuffix(" bank")) for found in glosses(wordnet, text))


@pytest.mark.parametrize("text", ["", "s", "zebra", "été", "卡", "{}", "a, b", "ban", "bank%1", "This software"])
def test_what_is_not_there_is_nothing(wordnet, text):
    assert wordnet.senses(text) == ()


def test_files_with_longer_line_ends_than_their_places_were_counted_with_are_read_all_the_same(tmp_path):
    plain, longer = WordNet(write_wordnet(tmp_path / "a")), WordNet(write_wordnet(tmp_path / "b", newline="\r\n"))
    for word in ("bank", "savings bank", "good", "men"):
        assert longer.senses(word) == plain.senses(word) != ()


def test_a_folder_of_something_else_says_what_is_missing(tmp_path):
    write_wordnet(tmp_path)
    (tmp_path / "data.verb").unlink()
    with pytest.raises(DataError, match=re.escape(f"{tmp_path} is not WordNet: there is no data.verb")):
        WordNet(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    write_wordnet(tmp_path)
    path = tmp_path / "data.noun"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"data\.noun is damaged: there is no sense at \d{8}"):
        WordNet(tmp_path).senses("arrival")
    index = tmp_path / "index.noun"
    index.write_bytes(index.read_bytes().replace(b"card n 1", b"card n x"))
    with pytest.raises(DataError, match=r"index\.noun is damaged at 'card'"):
        WordNet(tmp_path).senses("card")
