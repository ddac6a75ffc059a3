"""How a column is read as text, whatever the format."""

import datetime
import decimal
import json

import pyarrow
import pyarrow.parquet
import pytest

from mtl_cli.errors import DataError
from mtl_cli.tasks.files import read_file
from mtl_cli.tasks.rows import MAX_TEXT, Row, name_list, text_of


def text(value):
    return text_of(Row("x:1", {"text": value}), "text", "task 'a'")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("nan", "nan"),
        ("NULL", "NULL"),
        ("", ""),
        (3, "3"),
        (3.0, "3.0"),
        (-0.5, "-0.5"),
        (1e22, "1e+22"),
        (10**400, "1" + "0" * 400),
        (decimal.Decimal("1.50"), "1.50"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (datetime.datetime(2020, 1, 2, 3, 4, 5), "2020-01-02 03:04:05"),
        (datetime.time(3, 4, 5), "03:04:05"),
        (True, "True"),
        ("Straße".encode(), "Straße"),
    ],
)
def test_words_numbers_and_dates_are_texts(value, expected):
    assert text(value) == expected


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "is null; task 'a' needs a text"),
        (float("nan"), "is NaN, a missing value; task 'a' needs a text"),
        (decimal.Decimal("NaN"), "is NaN, a missing value"),
        (float("inf"), r"is infinite \(inf\)"),
        ([1], "holds a list"),
        ({"body": "x", "id": 1}, r"holds a mapping of body, id \(name a member, such as text\.body\)"),
        ({}, "holds an empty mapping"),
        (b"caf\xe9", "holds bytes that are not UTF-8"),
        ("a\ud800", "holds half of a Unicode character"),
        ("a" * (MAX_TEXT + 1), "holds a text of 10,000,001 characters; at most 10,000,000"),
    ],
)
def test_what_is_no_text_is_refused_with_its_row_and_column(value, found):
    with pytest.raises(DataError, match=rf"^x:1: column 'text' {found}") as caught:
        text(value)
    assert len(str(caught.value)) < 200


def written(tmp_path, form, values):
    path = tmp_path / f"x.{form}"
    table = pyarrow.table({"text": values})
    if form == "parquet":
        pyarrow.parquet.write_table(table, path)
    elif form == "arrow":
        with pyarrow.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table)
    else:
        path.write_text("".join(json.dumps({"text": value}) + "\n" for value in values))
    return list(read_file(path))


@pytest.mark.parametrize("form", ["jsonl", "parquet", "arrow"])
@pytest.mark.parametrize("values", [["word", None], [1.5, None], [1.5, float("nan")]])
def test_a_missing_value_is_missing_in_every_format(tmp_path, form, values):
    rows = written(tmp_path, form, values)
    assert text_of(rows[0], "text", "task 'a'") == str(values[0])
    with pytest.raises(DataError, match=rf"x\.{form}:2: column 'text' is (null|NaN)"):
        text_of(rows[1], "text", "task 'a'")


def test_a_dotted_name_reads_a_member_unless_a_column_has_that_very_name():
    row = Row(
        "x:1", {"data": {"text": "deep", "turns": [{"say": "hi"}]}, "a.b": "flat", "a": {"b": "deep"}, "no": None}
    )
    assert row.column("data.text", "") == "deep"
    assert row.column("data.turns.0.say", "") == "hi"
    assert row.column("a.b", "") == "flat"
    assert row.column("no.text", "") is None
    assert row.has("data.text")
    assert not row.has("data.txt")
    with pytest.raises(
        DataError, match=r"column 'data\.turns\.1\.say', which is missing\. Columns here: data, a\.b, a, no$"
    ):
        row.column("data.turns.1.say", "")


def test_columns_are_listed_once_and_long_lists_are_cut():
    with pytest.raises(DataError) as caught:
        Row("x:1", {f"column_{i}": 1 for i in range(100_000)}).column("zzz", "task 'a'")
    message = str(caught.value)
    assert message.endswith("column_18, column_19, ...")
    assert message.count("column_3,") == 1
    assert name_list(["a", "b", "a", 1]) == "a, b, 1"
    assert name_list([]) == "none"
    assert len(name_list(["x" * 5000])) < 70
