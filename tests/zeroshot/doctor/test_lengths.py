import pytest

from mtl_cli.zeroshot.doctor.base import Spoken
from mtl_cli.zeroshot.doctor.lengths import many_tokens, no_tokens, uneven_tokens
from mtl_cli.zeroshot.scoring.pieces import Pieces
from tests.zeroshot.doctor.fakes import evidence, spoken
from tests.zeroshot.fakes import label


def cut_as(name, ids, unknown=0):
    one = label(name)
    return Spoken(one, one.phrases, (Pieces(tuple(ids), unknown),))


def test_a_label_of_which_nothing_is_left_is_a_problem():
    (found,) = no_tokens(evidence([cut_as("\u200b", []), cut_as("ok", [3])]))
    assert (found.severity, found.labels) == ("problem", ("\u200b",))
    assert "nothing is left for the model's tokenizer" in found.found
    assert "LABEL=words" in found.do


def test_a_label_with_an_unknown_token_is_a_problem():
    (found,) = no_tokens(evidence([cut_as("🙂 day", [1, 9], unknown=1), cut_as("day", [9])]))
    assert found.labels == ("🙂 day",)
    assert "the model has no token for some of it" in found.found


@pytest.mark.parametrize(("name", "tokens"), [("смысл", 5), ("日本", 6), ("🙂", 4), ("positive", 8)])
def test_letters_or_bytes_instead_of_words_are_a_warning(name, tokens):
    (found,) = no_tokens(evidence([cut_as(name, range(tokens)), cut_as("ok", [3])]))
    assert (found.severity, found.labels) == ("warning", (name,))
    assert "single letters or bytes" in found.found


@pytest.mark.parametrize(
    ("name", "tokens"), [("positive", 2), ("日本", 2), ("日", 2), ("AI", 2), ("C++", 3), ("2024", 4)]
)
def test_what_is_read_well_is_not_named(name, tokens):
    assert list(no_tokens(evidence([cut_as(name, range(tokens)), cut_as("ok", [3])]))) == []


def test_very_long_labels_are_named():
    (found,) = many_tokens(evidence([cut_as("long", range(21)), cut_as("ok", range(20))]))
    assert found.labels == ("long",)
    assert "more than 20 tokens" in found.found


def test_uneven_lengths_matter_where_tokens_are_summed():
    labels = [cut_as("World", [1]), cut_as("Sci/Tech", [1, 2, 3])]
    (found,) = uneven_tokens(evidence(labels, sums_tokens=True))
    assert "labels have 1 ('World') to 3 ('Sci/Tech') tokens" in found.found
    assert "long labels score lower" in found.found
    assert list(uneven_tokens(evidence(labels))) == []
    assert list(uneven_tokens(evidence([cut_as("a", [1, 2]), cut_as("b", [1, 2, 3])], sums_tokens=True))) == []


def test_without_a_tokenizer_nothing_is_said():
    one, other = label("a"), label("b")
    known = evidence([Spoken(one, one.phrases, None), Spoken(other, other.phrases, None)], sums_tokens=True)
    assert [*no_tokens(known), *many_tokens(known), *uneven_tokens(known)] == []


def test_a_byte_tokenizer_reads_letters():
    (found,) = no_tokens(evidence([spoken(label("good")), spoken(label("bad"))]))
    assert found.labels == ("good",)
