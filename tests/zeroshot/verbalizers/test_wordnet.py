"""Senses by hand-made vectors, on a WordNet of a few lines."""

import pytest

from mtl_cli.errors import ConfigError
from mtl_cli.zeroshot.verbalizers import wordnet as module
from mtl_cli.zeroshot.verbalizers.wordnet import WordNetVerbalizer
from tests.zeroshot.fakes import label
from tests.zeroshot.lexicon.tiny_wordnet import write_wordnet
from tests.zeroshot.verbalizers.fakes import NO_TEXTS, Knowing, drawn, dropped, kept

OPTIONS = {
    "path": None, "words": True, "describe": True, "sense": "texts", "margin": 0.05, "head": True, "depth": 1, "most": 20, "longest": 3,
    "weight": 100.0, "least_similarity": None,
}  # fmt: skip
MONEY = "bank: a firm that lends money"
RIVER = "bank: sloping land beside water"


@pytest.fixture
def verbalizer(tmp_path):
    def make(vectors=None, **options):
        write_wordnet(tmp_path / "wordnet")
        return WordNetVerbalizer(Knowing(tmp_path, vectors), **{**OPTIONS, **options})

    return make


def expanded(verbalizer, *names, texts=NO_TEXTS):
    labels = [name if not isinstance(name, str) else label(name) for name in names]
    return verbalizer.expand(labels, texts)


def test_the_sense_is_the_one_whose_gloss_is_nearest_to_the_texts(verbalizer):
    vectors = {"a loan": (1, 0, 0), "a fee": (1, 0.1, 0), MONEY: (1, 0.2, 0), RIVER: (0, 1, 0)}
    bank, _ = expanded(verbalizer(vectors), "bank", "zebra", texts=drawn("a loan", "a fee"))
    assert bank.description == "a firm that lends money"
    assert kept(bank) == {"banking company": 1, "deposit": 0.5, "savings bank": 0.5, "thrift": 0.5}
    assert bank.told.startswith("bank, noun 1 of 2 (nearest to the texts; cosine 0.99, the most frequent 0.00)")


def test_a_gloss_that_is_hardly_nearer_does_not_beat_the_most_frequent_sense(verbalizer):
    vectors = {"t": (1, 0, 0), MONEY: (0.60, 0.8, 0), RIVER: (0.58, 0.81, 0), "bank: put into a bank": (0.57, 0.82, 0)}
    by_margin, by_any = (
        expanded(verbalizer(vectors, margin=m), "bank", "zebra", texts=drawn("t"))[0] for m in (0.05, 0.0)
    )
    assert by_margin.told.startswith("bank, verb 1 of 1 (the most frequent")
    assert by_any.told.startswith("bank, noun 1 of 2 (nearest")


@pytest.mark.parametrize(("sense", "texts"), [("first", drawn("t")), ("texts", NO_TEXTS)])
def test_without_texts_it_is_the_most_frequent_sense_and_no_encoder_is_asked_for(verbalizer, sense, texts):
    bank, _ = expanded(verbalizer(sense=sense), "bank", "zebra", texts=texts)
    assert (bank.description, bank.told) == ("put into a bank", "bank, verb 1 of 1 (the most frequent)")


def test_texts_are_needed_for_choosing_by_them_alone(verbalizer):
    assert verbalizer().needs_sample
    assert not verbalizer(sense="first").needs_sample


def test_narrower_terms_weigh_half_a_step(verbalizer):
    (found, _) = expanded(verbalizer(sense="first", depth=2), "banking company", "zebra")
    assert kept(found) == {"bank": 1, "savings bank": 0.5, "thrift": 0.5, "mutual savings bank": 0.25}
    assert [word.reason for word in found.kept][-1] == "kind of (2 steps) banking company"
    assert kept(expanded(verbalizer(sense="first", depth=0), "banking company", "zebra")[0]) == {"bank": 1}


def test_near_adjectives_count_half(verbalizer):
    assert kept(expanded(verbalizer(), "good", "zebra")[0]) == {"superb": 0.5}


def test_a_phrase_is_looked_up_as_a_whole_then_by_its_head_which_gives_no_description(verbalizer):
    whole, by_head, neither = expanded(verbalizer(), "CreditCard", "card_arrival", "zebra crossing")
    assert (kept(whole), whole.description) == ({"charge card": 1}, "a card to pay with")
    assert (kept(by_head), by_head.description) == ({"card reaching": 1}, None)
    assert (kept(neither), neither.told) == ({}, "WordNet has no 'zebra crossing'")
    assert kept(expanded(verbalizer(head=False), "card_arrival", "zebra")[0]) == {}


def test_what_stands_between_ands_is_looked_up_by_itself(verbalizer):
    both, one = expanded(verbalizer(), "Arrival/credit card", "card and zebra")
    assert (set(kept(both)), both.description) == (
        {"arrival", "reaching", "credit card", "charge card"},
        "the act of coming; a card to pay with",
    )
    assert one.description is None


def test_a_word_that_is_another_label_is_dropped(verbalizer):
    first, second = expanded(verbalizer(sense="first"), "savings bank", "thrift")
    assert (kept(first), kept(second)) == ({}, {})
    assert dropped(first) == {"thrift": "it is label thrift", "mutual savings bank": "also found for thrift"}
    assert dropped(second) == {
        "savings bank": "it is label savings bank",
        "mutual savings bank": "also found for savings bank",
    }


def test_a_description_of_the_user_s_and_an_empty_gloss_give_none(verbalizer):
    own, empty = expanded(verbalizer(), label("bank", description="where money lies"), "man")
    assert (own.description, empty.description) == (None, None)
    assert kept(own)


def test_parts_can_be_left_out(verbalizer):
    words, gloss = (
        expanded(verbalizer(sense="first", **{part: False}), "credit card", "zebra")[0]
        for part in ("describe", "words")
    )
    assert (kept(words), words.description) == ({"charge card": 1}, None)
    assert (kept(gloss), gloss.description) == ({}, "a card to pay with")


def test_a_label_with_words_of_its_own_keeps_those_alone(verbalizer):
    found, _ = expanded(verbalizer(), label("bank", "bank", "lender"), "zebra")
    assert (kept(found), found.description, found.told) == ({}, None, "it has words of its own")


@pytest.mark.parametrize("name", ["{}", "a, b", "卡", "été ☕", "''", "x" * 500, "/", "no: yes"])
def test_odd_labels_stay_as_they_are(verbalizer, name):
    found, _ = expanded(verbalizer(), name, "zebra")
    assert (kept(found), found.description) == ({}, None)
    assert found.told.startswith("WordNet has no ")


def test_where_nothing_is_found_the_ways_to_get_it_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "DEBIAN", tmp_path / "debian")
    with pytest.raises(ConfigError) as error:
        WordNetVerbalizer(Knowing(tmp_path), **OPTIONS)
    told = f"verbalizer.path: there is no WordNet in {tmp_path}/wordnet or {tmp_path}/debian; get it with: mtl offline add wordnet, or"
    assert str(error.value).startswith(told)
    write_wordnet(tmp_path / "debian")
    assert kept(expanded(WordNetVerbalizer(Knowing(tmp_path), **OPTIONS), "credit card", "zebra")[0]) == {
        "charge card": 1
    }


def test_a_path_of_the_user_s_is_looked_at_alone_and_must_be_whole(verbalizer, tmp_path):
    with pytest.raises(ConfigError, match=r"there is no WordNet in .*nowhere; it holds data\.noun"):
        verbalizer(path=str(tmp_path / "nowhere"))
    (write_wordnet(tmp_path / "own") / "index.adj").unlink()
    with pytest.raises(ConfigError, match=r"verbalizer\.path: .*own is not WordNet: there is no index\.adj"):
        verbalizer(path=str(tmp_path / "own"))


@pytest.mark.parametrize(("options", "message"), [
    ({"sense": "last"}, "sense must be texts or first; found last"), ({"depth": -1}, "depth and margin must be 0 or more"),
    ({"margin": -0.1}, "depth and margin must be 0 or more"),
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(verbalizer, options, message):
    with pytest.raises(ValueError, match=message):
        verbalizer(**options)
