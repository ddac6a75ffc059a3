import pytest

from mtl_cli.zeroshot.lexicon.terms import compound, parts, spaced


@pytest.mark.parametrize(("text", "expected"), [
    ("cardArrival", "card arrival"), ("card_arrival", "card arrival"), ("Card  Arrival", "card arrival"), ("HTTPServer", "http server"),
    ("self-esteem", "self-esteem"), ("ÉTÉ", "été"), ("Sci/Tech", "sci/tech"), ("_", ""),
])  # fmt: skip
def test_names_become_words(text, expected):
    assert spaced(text) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("sci/tech", ("sci", "tech")), ("arts and crafts", ("arts", "crafts")), ("a, b & c", ("a", "b", "c")), ("sand", ("sand",)), ("/", ()),
    ("at&t", ("at", "t")),
])  # fmt: skip
def test_what_stands_between_ands_is_looked_up_by_itself(text, expected):
    assert parts(text) == expected


def test_the_head_is_the_last_word_or_stands_before_a_link():
    assert compound("card arrival").instead("coming") == "card coming"
    assert compound("change of address").instead("move") == "move of address"
    assert compound("new request for refund of fees").head == "request"
    assert compound("card") is None
    assert compound("of the people").head == "people"
