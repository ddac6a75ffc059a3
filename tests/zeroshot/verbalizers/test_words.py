"""What is written is read back as the same labels."""

import re

import pytest
import yaml

from mtl_cli.zeroshot.labels.label_set import Label, Word, make_labels, read_labels
from mtl_cli.zeroshot.verbalizers.base import Candidate, Dropped, Expansion
from mtl_cli.zeroshot.verbalizers.words import entry, words_yaml
from tests.zeroshot.fakes import label

ODD = [
    "{}",
    "a, b",
    "yes",
    "null",
    "1",
    "1.5",
    "卡 été ☕",
    "no: # 'yes'",
    '"',
    "two\nlines",
    "tab\t",
    "x" * 2000,
    "- a",
    "&a *b",
    "a\x85b\u2028c",
    "~",
    "bell\a",
]


def expansion(name, *words, **parts):
    return Expansion(name, tuple(Candidate(w, weight, "because\nof # it") for w, weight in words), **parts)


def round_trip(path, labels, expansions, templates=("{}",)):
    path.write_text(words_yaml(labels, expansions, "w.yaml"), encoding="utf-8")
    return make_labels(read_labels(path), templates)


def expected(labels, expansions):
    given = {one.name: entry(one, found) for one, found in zip(labels, expansions, strict=True)}
    return make_labels(given, ["{}"])


def test_words_weights_and_a_description_are_those_that_were_found(tmp_path):
    found = expansion("joy", ("glee", 0.25), ("fun", 0.1), dropped=(Dropped("sad", "far"),), description="a feeling")
    labels, said = round_trip(tmp_path / "w.yaml", [label("joy"), label("b")], [found, expansion("b")])
    assert labels[0] == Label("joy", (Word("joy"), Word("glee", 0.25), Word("fun", 0.1)), ("{}",), "a feeling")
    assert (labels[1].texts, said) == (("b",), [])


def test_odd_labels_words_and_reasons_come_back_as_they_are(tmp_path):
    labels = [label(name, f"called {name}") for name in ODD]
    expansions = [
        expansion(
            name,
            (f"w {name}", 0.5),
            (name, 0.1),
            told="told: #\nso",
            dropped=(Dropped(f"d {name}", name),),
            description=f"is {name}",
        )
        for name in ODD
    ]
    assert round_trip(tmp_path / "w.yaml", labels, expansions) == expected(labels, expansions)
    assert yaml.safe_load((tmp_path / "w.yaml").read_text(encoding="utf-8"))["{}"]["dropped"] == {"d {}": "{}"}


@pytest.mark.parametrize("given", [
    {"pos": None, "neg": "bad"},
    {"a": {"description": "d"}, "b": {"description": "d", "text": "t"}},
    {"a": {"templates": ["on {}", "of '{}':"]}, "b": {"templates": "in {}", "description": "d"}},
    {"a": {"words": ["x", "y"], "text": "t"}, "b": {"words": {"x": 0.5}, "description": "d"}},
])  # fmt: skip
def test_what_the_user_said_of_labels_stays(tmp_path, given):
    labels, _ = make_labels(given, ["{}"])
    assert round_trip(tmp_path / "w.yaml", labels, [expansion(one.name) for one in labels])[0] == labels


def test_the_user_s_description_is_kept_and_found_words_count_beside_it(tmp_path):
    (own, _), _ = make_labels({"a": {"description": "mine"}, "b": None}, ["{}"])
    (found, _), _ = round_trip(
        tmp_path / "w.yaml", [own, label("b")], [expansion("a", ("w", 0.5), description="other"), expansion("b")]
    )
    assert found.texts == ("mine", "a", "w")


def test_a_word_that_stands_twice_weighs_twice(tmp_path):
    own = Label("a", (Word("a"), Word("x", 0.5), Word("x", 0.25)), ("{}",))
    assert entry(own, expansion("a"))["words"] == {"x": 0.75}


def test_the_top_says_how_to_go_on_and_reasons_stand_beside_the_words():
    text = words_yaml([label("a")], [expansion("a", ("w", 0.5), told="looked up")], "labels/w.yaml")
    assert text.startswith(
        "# The labels as they were asked. Edit this file, and ask again with:  --labels labels/w.yaml\n"
    )
    assert re.search(r"^a:  # looked up$", text, re.MULTILINE)
    assert re.search(r"^    w: 0\.5  # because of # it$", text, re.MULTILINE)
