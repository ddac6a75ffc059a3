import pytest

from mtl_cli.zeroshot.doctor.wording import is_code, joined, negations, opaque, templates
from tests.zeroshot.doctor.fakes import evidence, of_names
from tests.zeroshot.fakes import label


@pytest.mark.parametrize("name", ["LABEL_0", "class 3", "17", "B", "A12", "cluster-4", "id7"])
def test_codes_say_nothing(name):
    (found,) = opaque(of_names(name, "sports"))
    assert (found.severity, found.labels) == ("problem", (name,))
    assert f'"{name}=words"' in found.do


@pytest.mark.parametrize("name", ["sports", "AI", "5 stars", "C++", "日", "covid19", "world cup 2022", "🙂"])
def test_words_are_no_codes(name):
    assert not is_code(name)
    assert list(opaque(of_names(name, "ordinary"))) == []


def test_a_code_with_words_or_a_description_is_fine():
    labels = [label("1", "terrible"), label("2", description="a good review", called=False)]
    assert list(opaque(evidence(labels))) == []


def test_several_codes_are_one_finding():
    (found,) = opaque(of_names(*map(str, range(12))))
    assert found.found.startswith("'0', '1', '2', '3', '4', '5', '6', '7' and 4 more are codes")


@pytest.mark.parametrize(("name", "words"), [("card_arrival", "card arrival"), ("cardArrival", "card arrival")])
def test_joined_words_should_be_words(name, words):
    (found,) = joined(of_names(name, "other"))
    assert found.labels == (name,)
    assert f'"{name}={words}"' in found.do


def test_codes_and_words_are_not_joined_words():
    assert list(joined(of_names("LABEL_0", "card arrival", "Sci/Tech", "NASA"))) == []
    assert list(joined(evidence([label("card_arrival", "card arrival"), label("x", "other")]))) == []


@pytest.mark.parametrize("name", ["not spam", "not_spam", "no spam", "non-spam", "Not spam"])
def test_a_label_beside_its_negation_is_named(name):
    (found,) = negations(of_names("spam", name))
    assert found.labels == (name, "spam")
    assert f"'{name}' is 'spam' with a negation" in found.found


def test_unhappy_beside_happy_is_a_negation_and_uncle_beside_cle_is_none():
    assert [one.labels for one in negations(of_names("happy", "unhappy", "cle", "uncle"))] == [("unhappy", "happy")]


def test_a_label_that_is_read_as_a_longer_word_is_known_by_its_name_too():
    (found,) = negations(evidence([label("pos", "positive"), label("not pos")]))
    assert found.labels == ("not pos", "pos")


def test_a_negation_of_no_label_is_none():
    assert list(negations(of_names("ham", "not spam"))) == []


def test_a_sentence_in_a_template_is_named():
    (found,) = templates(of_names("It was a very good film.", "bad", template="This text is about {}."))
    assert found.labels == ("It was a very good film.",)
    assert "a sentence stands inside the template 'This text is about {}.'" in found.found


def test_a_word_that_template_and_label_both_say_is_named():
    (found,) = templates(of_names("about sports", "war", template="This is about {}."))
    assert (found.severity, found.labels) == ("note", ("about sports",))


def test_bare_templates_and_descriptions_are_fine():
    assert list(templates(of_names("It was good.", "bad"))) == []
    described = [label("a", description="It was good.", templates=("about {}",)), label("b", templates=("about {}",))]
    assert list(templates(evidence(described, templates=("about {}",)))) == []
