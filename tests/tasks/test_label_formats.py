"""The same labels in any file format are the same classes, or are refused for the same reason."""

import csv
import json
import re
import tempfile
import unicodedata
from pathlib import Path

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_cli.errors import DataError
from mtl_cli.tasks.files import read_file
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.kinds.regression import Regression
from mtl_cli.tasks.labels import read_targets

LABEL_SETS = [
    ["negative", "positive"], ["no", "maybe", "yes"], ["caf\u00e9", "th\u00e9 vert", "eau"], ["1", "2", "3"], ["0", "1", "many"],
    ["1", "0"], ["true", "false"], ["yes", "no"], ["-1", "1"],
]  # fmt: skip


def text(value):
    """A value as pandas writes it into a text file."""
    return "" if value is None else str(value)


def write_text(path, values, delimiter):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        writer.writerows([["text", "label"], *(["x", text(value)] for value in values)])


def write_lines(path, values):
    path.write_text("".join(json.dumps({"text": "x", "label": value}) + "\n" for value in values))


def table(values):
    return pyarrow.table({"text": ["x"] * len(values), "label": pyarrow.array(values)})


def write_arrow(path, values):
    rows = table(values)
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)


WRITERS = {
    "a.csv": lambda path, values: write_text(path, values, ","),
    "a.tsv": lambda path, values: write_text(path, values, "\t"),
    "a.jsonl": write_lines,
    "text.jsonl": lambda path, values: write_lines(path, [None if value is None else text(value) for value in values]),
    "a.parquet": lambda path, values: pyarrow.parquet.write_table(table(values), path),
    "text.parquet": lambda path, values: pyarrow.parquet.write_table(
        table([None if value is None else text(value) for value in values]), path
    ),
    "a.arrow": write_arrow,
}


def outcome(kind, path):
    """Labels, or the reason against them without what is the format's own: the file, and how it writes a number."""
    try:
        labels = read_targets(kind, read_file(path), "label", "it", "kind.")
    except DataError as error:
        return re.sub(r"\S*\.(csv|tsv|jsonl|parquet|arrow):\d+: |'|\.0\b", "", str(error)).lower()
    return labels.reading.values, [None if label != label else label for label in kind.gold(labels.columns).tolist()]


def outcomes(kind, values):
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, write in WRITERS.items():
            path = Path(folder, name)
            write(path, values)
            found[name] = outcome(kind, path)
    return found


def decorated(names):
    """Names as people's files hold them."""
    forms = [
        lambda name: name, lambda name: f" {name}\u00a0", lambda name: unicodedata.normalize("NFD", name),
        lambda name: f"\u200b{name}", lambda name: f"{name[:1]}\u200d{name[1:]}\ufeff", lambda name: name.replace(" ", "\u00a0 "),
    ]  # fmt: skip
    return st.builds(lambda form, name: form(name), st.sampled_from(forms), st.sampled_from(names))


def columns(names):
    """Columns of one type, as a table has them."""
    missing = st.none()
    return st.one_of(
        *(
            st.lists(st.one_of(values, missing), min_size=1, max_size=8).filter(any_value)
            for values in (
                decorated(names),
                st.integers(-1, len(names)),
                st.integers(-1, len(names)).map(float),
                st.booleans(),
                st.sampled_from(["0", "1", " 1 ", "01", "1.0", "+1", *names]),
            )
        )
    )


def any_value(values):
    return any(value is not None for value in values)


@settings(derandomize=True, max_examples=120, deadline=None)
@given(st.data())
def test_the_same_labels_give_the_same_classes_or_the_same_refusal_in_every_format(data):
    names = data.draw(st.sampled_from(LABEL_SETS))
    found = outcomes(Classification(labels=names), data.draw(columns(names)))
    assert len({str(one) for one in found.values()}) == 1, found


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.data())
def test_names_in_any_spelling_are_their_classes(data):
    names = data.draw(st.sampled_from(LABEL_SETS[:3]))
    places = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=6))
    spelled = [data.draw(decorated([names[place]])) for place in places]
    assert set(map(str, outcomes(Classification(labels=names), spelled).values())) == {
        str(("names", [float(place) for place in places]))
    }


@settings(derandomize=True, max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(-5, 5).map(lambda x: round(x, 3))), min_size=1, max_size=6).filter(
        any_value
    )
)
def test_numbers_are_the_same_in_every_format(values):
    found = outcomes(Regression(), values)
    assert len({str(one) for one in found.values()}) == 1, found


@pytest.mark.parametrize("values", [[float("inf"), 1.0], ["1,5", "2"], [True, False]])
def test_what_is_no_number_is_refused_in_every_format(values):
    assert {"is not a finite number" in found for found in outcomes(Regression(), values).values()} == {True}


def test_false_and_true_of_a_csv_are_the_classes_that_they_are_in_json():
    found = outcomes(Classification(labels=["negative", "positive"]), [False, True, None])
    assert set(map(str, found.values())) == {str(("booleans", [0.0, 1.0, None]))}


def test_nan_is_no_label_in_every_format():
    found = outcomes(Classification(labels=["negative", "positive"]), [0.0, float("nan"), 1.0])
    assert {str(labels) for _, labels in found.values()} == {str([0.0, None, 1.0])}


def test_ids_with_a_gap_are_the_classes_that_they_are_without_one():
    found = outcomes(Classification(labels=["negative", "positive"]), [0.0, 1.0, None])
    assert set(map(str, found.values())) == {str(("ids", [0.0, 1.0, None]))}
