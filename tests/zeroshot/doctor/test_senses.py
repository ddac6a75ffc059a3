import numpy as np

from mtl_cli.zeroshot.doctor.senses import abbreviations, meanings, several_senses, unusual_senses
from mtl_cli.zeroshot.lexicon.wordnet import Sense, Synset
from tests.zeroshot.doctor import fakes
from tests.zeroshot.doctor.fakes import evidence, of_names, sense
from tests.zeroshot.fakes import label, named

BIRD = sense("crane", "a large wading bird", count=5)
LIFT = sense("crane", "a machine that lifts", count=4, number=2)
STRETCH = sense("crane", "stretch the neck", count=9, kind="v")
CAT = sense("cat", "a small feline", count=20)
WHIP = sense("cat", "a whip", count=1, number=2)
BOOK = {"crane": [STRETCH, BIRD, LIFT], "cat": [CAT, WHIP], "card arrival": [CAT]}
VECTORS = {"crane: a large wading bird": (1, 0), "crane: a machine that lifts": (0, 1), "cat: a small feline": (0.6, 0.8),
           "cat: a whip": (0.65, 0.76), "port": (0, 1), "pond": (1, 0)}  # fmt: skip


def encode(texts):
    return np.array([VECTORS[text] for text in texts], np.float32)


def lookup(word):
    return BOOK.get(word, ())


def test_words_of_several_meanings_are_named_and_described_ones_are_not():
    known = (fakes.meanings(BIRD, LIFT), fakes.meanings(CAT, WHIP), fakes.meanings())
    (found,) = several_senses(of_names("crane", "cat", "zzz", meanings=known))
    assert found.labels == ("crane",)
    assert "less than 60 % of their uses" in found.found
    described = evidence([label("crane", description="lifts"), label("b")], meanings=known[:2])
    assert list(several_senses(described)) == []


def test_capitals_that_the_dictionary_does_not_have_are_named():
    known = (fakes.meanings(), fakes.meanings(CAT), fakes.meanings(), fakes.meanings())
    (found,) = abbreviations(of_names("ENTY", "NASA", "Lego", "WORLDWIDE", meanings=known))
    assert found.labels == ("ENTY",)
    assert '"ENTY=words"' in found.do


def test_the_noun_is_meant_and_not_the_verb():
    (found,) = meanings(named("crane"), lookup, None, [])
    assert found.senses == (BIRD, LIFT)
    assert found.meant == 0


def test_a_writer_of_that_name_is_not_meant():
    writer = Sense("crane", 1, 2, 0, Synset("n", 1, ("Crane", "Stephen Crane"), "a writer", ()))
    (found,) = meanings(named("crane"), lambda _: [writer, BIRD], None, [])
    assert found.senses == (BIRD,)
    (only,) = meanings(named("crane"), lambda _: [writer], None, [])
    assert only.senses == (writer,)


def test_the_texts_choose_the_meaning():
    assert meanings(named("crane"), lookup, encode, ["port"])[0].meant == 1
    assert meanings(named("crane"), lookup, encode, ["pond"])[0].meant == 0


def test_a_meaning_that_is_hardly_nearer_is_not_chosen():
    assert meanings(named("cat"), lookup, encode, ["pond"])[0].meant == 0


def test_a_label_is_looked_up_as_words():
    (found, none) = meanings(named("cardArrival", "nothing like it"), lookup, encode, ["port"])
    assert found.senses == (CAT,)
    assert none.senses == ()


def test_an_unusual_meaning_is_told():
    (found,) = unusual_senses(
        of_names("crane", "cat", meanings=(fakes.meanings(BIRD, LIFT, meant=1), fakes.meanings(CAT)))
    )
    assert (found.severity, found.labels) == ("warning", ("crane",))


def test_without_a_dictionary_nothing_is_said():
    assert [
        *several_senses(of_names("crane", "cat")),
        *unusual_senses(of_names("crane", "cat")),
        *abbreviations(of_names("ENTY")),
    ] == []
