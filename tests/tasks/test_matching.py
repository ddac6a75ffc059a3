"""Label matching: what pairs rows become."""

import collections
import itertools
import json

import pytest

from mtl_cli.errors import DataError
from mtl_cli.tasks.files import Row
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.matching import Matching
from mtl_cli.tasks.source import Places, origins
from mtl_cli.tasks.task import Source, Task

LABELS = {"World": ["world politics", "news from abroad"], "Sports": ["sports"], "Sci/Tech": ["science"]}
TEMPLATES = ["This text is about {}.", "{}!"]
OF = {label: {t.replace("{}", p) for t in TEMPLATES for p in phrases} for label, phrases in LABELS.items()}


def matching(labels=LABELS, templates=TEMPLATES, **changes):
    return Matching(labels, templates, **changes)


def made(rows, one=None, text="text", label="label"):
    """(text, sentence, label) of each pair."""
    given = [Row(f"f:{i}", values) for i, values in enumerate(rows, start=1)]
    pairs = (one or matching()).rows(lambda: iter(given), text=text, label=label, task="m")
    return [(row.values[text], row.values["hypothesis"], row.values[label]) for row in pairs]


ROWS = [{"text": f"text {i}", "label": i % 3} for i in range(300)]


def test_a_row_becomes_a_pair_that_matches_and_one_that_does_not():
    found = made(ROWS)
    assert len(found) == 2 * len(ROWS)
    for (text, own, yes), (same, other, no) in zip(found[::2], found[1::2], strict=True):
        gold = list(LABELS)[int(text.split()[1]) % 3]
        assert (same, yes, no) == (text, "entailment", "not_entailment")
        assert own in OF[gold]
        assert other in set().union(*OF.values()) - OF[gold]


def test_over_the_rows_all_phrases_templates_and_other_labels_take_their_turn():
    found = collections.Counter((sentence, label) for _, sentence, label in made(ROWS))
    assert {sentence for sentence, label in found if label == "entailment"} == set().union(*OF.values())
    assert {sentence for sentence, label in found if label == "not_entailment"} == set().union(*OF.values())
    # 100 rows a label; four sentences of World, two of each other one; 150 draws of each side on the average.
    assert all(10 <= found[sentence, "entailment"] <= 45 for sentence in OF["World"])
    assert all(30 <= found[sentence, "entailment"] <= 70 for sentence in OF["Sports"] | OF["Sci/Tech"])


def test_a_row_gives_the_same_pairs_wherever_it_stands_and_however_its_label_is_written():
    by_text = {text: (sentence, label) for text, sentence, label in made(ROWS)}
    assert {text: (s, label) for text, s, label in made(ROWS[::-1])} == by_text
    named = [{**row, "label": list(LABELS)[row["label"]]} for row in ROWS]
    assert made(named) == made(ROWS)


def test_another_seed_draws_others():
    assert made(ROWS, matching(seed=1)) != made(ROWS)


def test_several_negatives_are_of_different_labels():
    found = made(ROWS[:30], matching(negatives=2))
    assert [label for _, _, label in found] == ["entailment", "not_entailment", "not_entailment"] * 30
    for i in range(0, 90, 3):
        sides = [next(label for label, sentences in OF.items() if found[j][1] in sentences) for j in range(i, i + 3)]
        assert sorted(sides) == sorted(LABELS)


def test_a_label_without_phrases_matches_nothing_and_is_never_drawn():
    one = matching({**LABELS, "other": []})
    found = made([{"text": f"t{i}", "label": "other"} for i in range(40)], one)
    assert [label for _, _, label in found] == ["not_entailment"] * 40
    assert {sentence for _, sentence, _ in found} == set().union(*OF.values())


def test_rows_without_a_label_are_left_out():
    rows = [{"text": "a", "label": None}, {"text": "b", "label": 1}, {"text": "c", "label": ""}]
    assert {text for text, _, _ in made(rows)} == {"b"}
    with pytest.raises(DataError, match="task 'm': no row has a label in column 'label'"):
        made(rows[:1])


def test_other_columns_stay_and_rows_say_where_they_stood():
    given = [Row("f:7", {"text": "a", "label": 0, "id": 5})]
    found = list(matching().rows(lambda: iter(given), text="text", label="label", task="m"))
    assert [(row.where, row.values["id"]) for row in found] == [("f:7", 5)] * 2


def test_rows_are_made_one_at_a_time_once_all_labels_are_known():
    passes = [0, 0]

    def rows():
        passes.append(0)
        for i in range(30):
            passes[-1] += 1
            yield Row(f"f:{i}", {"text": str(i), "label": i % 3})

    stream = matching().rows(rows, text="text", label="label", task="m")
    assert len(list(itertools.islice(stream, 10))) == 10
    assert passes[2:] == [30, 5]


def test_ids_are_reported_with_the_labels_that_they_are_read_as(caplog):
    caplog.set_level("INFO")
    made(ROWS[:3])
    assert caplog.messages == [
        "labels   task 'm': column 'label' is read as ids: 0 is World, 1 is Sports, 2 is Sci/Tech"
    ]


def test_labels_that_can_be_read_in_two_ways_are_refused():
    rows = [{"text": "a", "label": -1}, {"text": "b", "label": 1}]
    with pytest.raises(
        DataError, match=r"task 'm': column 'label': -1 may or may not be a label.*Write the names of the labels"
    ):
        made(rows)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "a", "label": "Sport"}, r"task 'm': f:1: column 'label': label 'Sport' .*'Sports'"),
        ({"text": "a", "label": 3}, "label 3 is outside the label set: World, Sports, Sci/Tech or an id from 0 to 2"),
        ({"text": None, "label": 0}, "column 'text' is null; task 'm' needs a text there"),
        ({"txt": "a", "label": 0}, "task 'm' reads column 'text', which is missing"),
        ({"text": "a"}, "task 'm' reads column 'label', which is missing"),
    ],
)
def test_a_row_that_cannot_be_matched_is_told_by_its_place(row, message):
    with pytest.raises(DataError, match=message):
        made([row])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {"a": ["x"]}}, "at least two classes"),
        ({"labels": {"a": ["x"], "b": []}}, "at least two labels need phrases"),
        ({"templates": []}, "at least two labels need phrases, and there must be a template"),
        ({"labels": {"a": ["x"], "b": [" "]}}, "label 'b' has an empty phrase"),
        ({"templates": ["about"]}, r"a template has \{\} once, for the label; found 'about'"),
        ({"templates": ["{} {}"]}, r"found '\{\} \{\}'"),
        ({"negatives": 3}, "negatives must lie between 1 and 2, the number of other labels; found 3"),
        ({"negatives": 0}, "found 0"),
    ],
)
def test_what_makes_no_pairs_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        matching(**changes)


def test_braces_in_a_phrase_are_text():
    one = matching({"a": ["{x}"], "b": ["{}"]}, ["It is {}."])
    assert {sentence for _, sentence, _ in made([{"text": "t", "label": "a"}], one)} == {"It is {x}.", "It is {}."}


def test_the_digest_follows_the_content_and_all_that_makes_pairs():
    same = matching().digest("x")
    others = [
        matching().digest("y"), matching(seed=1).digest("x"), matching(negatives=2).digest("x"),
        matching(templates=TEMPLATES[::-1]).digest("x"), matching({**LABELS, "Sports": ["sport"]}).digest("x"),
        matching(dict(reversed(LABELS.items()))).digest("x"), matching({**LABELS, "other": []}).digest("x"),
    ]  # fmt: skip
    assert matching().digest("x") == same
    assert len({same, *others}) == len(others) + 1


def test_a_task_s_sets_are_those_of_its_source_made_into_pairs(tmp_path):
    path = tmp_path / "validation.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[:5]))
    sets = {split: (split,) for split in ("train", "validation", "test")}
    source = Source(hub=None, subset=None, folder="m", bundled=None, files={"validation": str(path)}, sets=sets)
    kind = Classification(labels=["not_entailment", "entailment"])
    task = Task("m", kind, ("text", "hypothesis"), "label", ("accuracy",), source, 32, matching=matching())
    places = Places("auto", None, 1.0)
    (origin,) = origins(task, "validation", places)
    found = [(r.values["text"], r.values["hypothesis"], r.values["label"]) for r in origin.rows()]
    assert found == made(ROWS[:5])
    assert (origin.place, origin.set_name, origin.path) == ("file", "validation", str(path))
    (plain,) = origins(Task("m", kind, ("text", "hypothesis"), "label", (), source, 32), "validation", places)
    assert origin.fingerprint() == matching().digest(plain.fingerprint())
