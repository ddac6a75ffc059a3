"""Readers of local files."""

import io
import json

import pyarrow
import pyarrow.parquet
import pytest

from mtl_cli.errors import DataError
from mtl_cli.tasks.files import Row, class_names, read_file, read_stream, text_stream


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(tmp_path, name, content):
    return list(read_file(written(tmp_path, name, content)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", '{"text": "Straße, ja", "label": "1"}\n{"text": "nein", "label": "0"}\n'),
        ("x.csv", 'text,label\n"Straße, ja",1\nnein,0\n'),
        ("x.tsv", "text\tlabel\nStraße, ja\t1\nnein\t0\n"),
        ("X.CSV", 'text,label\r\n"Straße, ja",1\r\nnein,0\r\n'),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order mark"])
def test_text_formats_give_the_same_rows_with_and_without_a_byte_order_mark(tmp_path, name, content, mark):
    rows = read(tmp_path, name, mark + content.encode())
    assert [r.values for r in rows] == [{"text": "Straße, ja", "label": "1"}, {"text": "nein", "label": "0"}]


def test_parquet_gives_values_with_their_types_and_row_numbers(tmp_path):
    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a"] * 1030, "label": [*range(1029), None]}), path)
    rows = list(read_file(path))
    assert [r.values["label"] for r in rows] == [*range(1029), None]
    assert rows[1029].where == f"{path}:1030"


def test_txt_is_one_text_a_line_without_the_empty_ones(tmp_path):
    rows = read(tmp_path, "x.txt", '  two  spaces, a "quote"\r\n\n \nlast')
    assert [(r.where.rpartition(":")[2], r.values["text"]) for r in rows] == [
        ("1", '  two  spaces, a "quote"'),
        ("4", "last"),
    ]


def test_a_quoted_field_of_csv_may_hold_line_ends_quotes_and_commas(tmp_path):
    rows = read(tmp_path, "x.csv", 'text,label\n"one\r\ntwo, ""three""",1\nlast,0\n')
    assert rows[0].values == {"text": 'one\r\ntwo, "three"', "label": "1"}
    assert rows[1].where.endswith("x.csv:4")


def test_quotes_mean_nothing_in_tsv(tmp_path):
    assert read(tmp_path, "x.tsv", 'text\tlabel\n"open\t1\nshut"\t0\n')[0].values == {"text": '"open', "label": "1"}


def test_row_numbers_of_csv_count_empty_lines(tmp_path):
    assert [r.where[-2:] for r in read(tmp_path, "x.csv", "text\na\n\n\nb\n")] == [":2", ":5"]


def test_empty_lines_of_jsonl_are_skipped_but_counted(tmp_path):
    rows = read(tmp_path, "x.jsonl", '\n{"a": 1}\n   \n{"a": 2}')
    assert [(r.where[-2:], r.values["a"]) for r in rows] == [(":2", 1), (":4", 2)]


def test_line_separators_of_unicode_do_not_end_a_line_of_jsonl(tmp_path):
    content = json.dumps({"text": "a\u2028b\x85c"}, ensure_ascii=False)
    assert [r.values["text"] for r in read(tmp_path, "x.jsonl", content)] == ["a\u2028b\x85c"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", '{"a": 1}\n{"a": 2\n', r"x\.jsonl:2: broken JSON at column \d+: .*one JSON object"),
        ("x.jsonl", '{"a": 1}\n[1]\n', r"x\.jsonl:2: must be a JSON object.*found a list"),
        ("x.csv", "a,b\n1,2\n1\n", r"x\.csv:3: 1 fields, but the header has 2"),
        ("x.csv", "a,b\n1,2,3,4\n", r"x\.csv:2: 4 fields, but the header has 2"),
        ("x.tsv", "a\tb\n1\t2\n1\t2\t3\n", r"x\.tsv:3: 3 fields, but the header has 2"),
        ("x.csv", 'a,b\n1,2\n"open,2\n1,2\n', r"x\.csv:3: the row that begins here .*unexpected end of data"),
        ("x.csv", 'a,b\n1,2\n"say "hi"",2\n', r"x\.csv:3: the row that begins here .*expected after"),
        ("x.xlsx", "a", r"unknown format '\.xlsx'; known: .*\.jsonl.*\.csv.*\.tsv.*\.txt.*\.parquet"),
        ("x.parquet", "junk, not a table", "not readable as Parquet"),
        ("x.parquet", "", "not readable as Parquet"),
    ],
)
def test_a_broken_file_is_named_with_the_line(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, name, content)


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.jsonl", ""), ("x.jsonl", "\n\n"), ("x.csv", ""), ("x.csv", "a,b\n"), ("x.tsv", "a\tb\n"), ("x.txt", " \n")],
)
def test_a_file_without_rows_is_an_error(tmp_path, name, content):
    with pytest.raises(DataError, match=r"x\.\w+: the file has no rows"):
        read(tmp_path, name, content)


def test_a_parquet_file_without_rows_is_an_error(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"a": pyarrow.array([], "string")}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="the file has no rows"):
        list(read_file(tmp_path / "x.parquet"))


def test_a_parquet_file_with_a_damaged_page_is_an_error_of_the_data(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a" * 50] * 1000}), tmp_path / "x.parquet")
    content = (tmp_path / "x.parquet").read_bytes()
    with pytest.raises(DataError, match="not readable as Parquet"):
        read(tmp_path, "y.parquet", content[:30] + b"\xff" * 40 + content[70:])


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.tsv", "x.txt"])
def test_text_that_is_not_utf8_names_the_first_such_line_even_far_into_the_file(tmp_path, name):
    # 30,000 bytes are several blocks of a text stream
    with pytest.raises(DataError, match=rf"{name}:3002: not UTF-8 text .*convert it to UTF-8"):
        read(tmp_path, name, b'{"a": 111}\n' * 3001 + b'{"a": "caf\xe9"}\n')


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*none\.csv"):
        list(read_file(tmp_path / "none.csv"))


def test_a_missing_column_names_the_columns_that_there_are():
    row = Row("x.csv:7", {"sentence": "a", "gold": "1"})
    with pytest.raises(
        DataError,
        match=r"x\.csv:7: task 'rte' reads column 'sentense'.*Columns here: sentence, gold.*Did you mean 'sentence'",
    ):
        row.column("sentense", "task 'rte'")


def test_rows_come_one_at_a_time_before_a_broken_line_is_reached(tmp_path):
    rows = read_file(written(tmp_path, "x.jsonl", '{"a": 1}\nbroken\n'))
    assert next(rows).values == {"a": 1}
    with pytest.raises(DataError, match=r"x\.jsonl:2"):
        next(rows)


def test_a_stream_is_read_like_a_file_under_the_name_given():
    stream = text_stream(io.BytesIO(b"\xef\xbb\xbftext\tn\n\xc3\xa9t\xc3\xa9\t1\n"), "<stdin>")
    assert list(read_stream(stream, ".tsv")) == [Row("<stdin>:2", {"text": "été", "n": "1"})]


def test_parquet_and_arrow_files_of_datasets_name_their_own_classes(tmp_path):
    import datasets

    label = datasets.ClassLabel(names=["positive", "negative"])
    features = datasets.Features(text=datasets.Value("string"), label=label)
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features)
    rows.to_parquet(tmp_path / "x.parquet")
    rows.save_to_disk(tmp_path / "saved")
    (arrow,) = (tmp_path / "saved").glob("*.arrow")
    for path in (tmp_path / "x.parquet", arrow):
        assert class_names(path) == {"label": ("positive", "negative")}
        assert [row.values for row in read_file(path)] == [{"text": "a", "label": 0}, {"text": "b", "label": 1}]


def test_files_without_such_names_give_none(tmp_path):
    table = pyarrow.table({"text": ["a"]}).replace_schema_metadata({"huggingface": '{"info": []}', "pandas": "{}"})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    assert class_names(tmp_path / "x.parquet") == {}
    assert class_names(written(tmp_path, "x.csv", "text\na\n")) == {}
    with pytest.raises(DataError, match="not readable as Parquet"):
        class_names(written(tmp_path, "y.parquet", "junk"))


def test_an_arrow_file_with_a_footer_is_read_too(tmp_path):
    table = pyarrow.table({"text": [str(i) for i in range(3000)]})
    with pyarrow.ipc.new_file(tmp_path / "x.arrow", table.schema) as out:
        out.write_table(table)
    rows = list(read_file(tmp_path / "x.arrow"))
    assert [row.values["text"] for row in rows] == [str(i) for i in range(3000)]
    assert rows[-1].where.endswith("x.arrow:3000")
