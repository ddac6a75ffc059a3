import pytest

from mtl_cli.zeroshot.doctor.suggest import as_yaml, suggestions
from mtl_cli.zeroshot.labels.label_set import make_labels, parse_labels
from tests.zeroshot.doctor.fakes import meanings, sense

GLOSS = sense("sport", "an active diversion", number=1, of=7)


def suggested(given, *found):
    labels, _ = make_labels(given, ["{}"])
    return suggestions(labels, given, found or None)


def read_back(tmp_path, given, *found):
    path = tmp_path / "better.yaml"
    path.write_text(as_yaml(suggested(given, *found)), encoding="utf-8")
    return parse_labels(str(path))


def test_a_gloss_is_a_description_to_edit_with_its_source(tmp_path):
    found = suggested({"sports": None, "b": None}, meanings(GLOSS), meanings())
    assert [one.entry for one in found] == [{}, {}], "unedited it rather does harm"
    assert '  # description: "sport: an active diversion"  # WordNet: sport, noun 1 of 7\n' in as_yaml(found)
    assert '  # description: "a text about ..., not about ..."\n' in as_yaml(found)


def test_the_file_can_be_read_back_whatever_the_labels_hold(tmp_path):
    names = ['say "hi", you', "{}", "#1: x", "日本", "🙂", "- a", "null", "x" * 3000, "back\\slash", "yes"]
    assert read_back(tmp_path, dict.fromkeys(names)) == dict.fromkeys(names)


def test_what_the_user_said_is_kept(tmp_path):
    given = {
        "a": {"text": "A b", "description": "own words", "templates": ["x {}"], "words": {"w": 0.5}, "dropped": ["v"]},
        "b": "other",
    }
    assert read_back(tmp_path, given, meanings(GLOSS), meanings()) == {"a": given["a"], "b": {"text": "other"}}


@pytest.mark.parametrize(("name", "text"), [("card_arrival", "card arrival"), ("cardArrival", "card arrival")])
def test_joined_words_are_spelt_out(tmp_path, name, text):
    assert read_back(tmp_path, {name: None, "LABEL_0": None}) == {name: {"text": text}, "LABEL_0": None}


def test_two_labels_get_no_common_description():
    found = suggested({"sport": None, "Sport": None}, meanings(GLOSS), meanings(GLOSS))
    assert [one.hint for one in found] == ["a text about ..., not about ..."] * 2


def test_a_meaning_that_the_texts_chose_is_a_description(tmp_path):
    other = sense("sport", "a mutant", number=2, of=7)
    found = (meanings(GLOSS, other, meant=1), meanings())
    assert (
        suggested({"sport": None, "b": None}, *found)[0].source == "WordNet: sport, noun 2 of 7, nearest to the texts"
    )
    assert read_back(tmp_path, {"sport": None, "b": None}, *found) == {
        "sport": {"description": "sport: a mutant"},
        "b": None,
    }
