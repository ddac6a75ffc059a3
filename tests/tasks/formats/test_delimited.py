"""How the fields of a file with delimiters are told apart, and what is said of it."""

import gzip
import logging

import pytest

from mtl_cli.errors import DataError
from mtl_cli.tasks.files import Options, read_as, read_file


def read(tmp_path, name, content, options=Options()):  # noqa: B008
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [list(row.values.values()) for row in read_file(path, options)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # a field with a quote in it is quoted, as pandas and Excel do it
        ('"She said ""so"""\tneg\nplain\tpos\n', [['She said "so"', "neg"], ["plain", "pos"]]),
        ('"one\ntwo"\tneg\nplain\tpos\n', [["one\ntwo", "neg"], ["plain", "pos"]]),
        ('"one\ttwo"\tneg\nplain\tpos\n', [["one\ttwo", "neg"], ["plain", "pos"]]),
        # a column or the whole is quoted
        ('"one"\t1\n"two"\t2\n', [["one", "1"], ["two", "2"]]),
        ('"one"\t"1"\n""\t"2"\n', [["one", "1"], ["", "2"]]),
        # quotes are letters
        ('"So," he said\tneg\n"It ""was"""\tpos\n', [['"So," he said', "neg"], ['"It ""was"""', "pos"]]),
        ('"All of it."\tneg\nplain\tpos\n', [['"All of it."', "neg"], ["plain", "pos"]]),
        ('say "x"\tneg\n"a ""b"""\tpos\n', [['say "x"', "neg"], ['"a ""b"""', "pos"]]),
        ('"open\t1\nshut"\t0\n', [['"open', "1"], ['shut"', "0"]]),
        ('5" wide\tneg\n6" wide\tpos\n', [['5" wide', "neg"], ['6" wide', "pos"]]),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quotes_of_tsv_are_read_as_the_whole_file_shows(tmp_path, rows, expected, end):
    content = ("text\tlabel\n" + rows).replace("\n", end)
    expected = [[text.replace("\n", end) for text in row] for row in expected]
    assert read(tmp_path, "x.tsv", content) == expected
    assert read(tmp_path, "x.tsv.gz", gzip.compress(content.encode())) == expected


def test_it_is_said_once_how_quotes_are_read(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    content = 'text\tlabel\n"a ""b"""\t1\n'
    for _ in range(3):
        read(tmp_path, "x.tsv", content, Options(key="tasks.a.source"))
        (tmp_path / "x.tsv").touch()
    said = [record.message for record in caplog.records]
    assert said[0].endswith("x.tsv: fields are quoted; quotes are read as quotes (tasks.a.source.quoting)")
    caplog.clear()
    for _ in range(3):
        list(read_file(tmp_path / "x.tsv"))
    assert len(caplog.records) == 1
    caplog.clear()
    read(tmp_path, "y.tsv", 'text\tlabel\n"So," he said\t1\n')
    assert caplog.messages[0].endswith(
        "y.tsv: quotes are read as ordinary characters; if they enclose fields: source.quoting=csv"
    )
    caplog.clear()
    read(tmp_path, "z.tsv", 'text\tlabel\n5" wide\t1\n')
    read(tmp_path, "z.csv", 'text,label\n"5"" wide",1\n')
    assert caplog.messages == []


@pytest.mark.parametrize(("quoting", "expected"), [("csv", 'a "b"'), ("none", '"a ""b"""')])
@pytest.mark.parametrize(("name", "delimiter"), [("x.tsv", "\t"), ("x.csv", ",")])
def test_the_option_decides_how_quotes_are_read(tmp_path, quoting, expected, name, delimiter):
    content = f'text{delimiter}label\n"a ""b"""{delimiter}1\n'
    assert read(tmp_path, name, content, Options(quoting=quoting)) == [[expected, "1"]]


def test_a_csv_whose_quotes_are_letters_names_the_option(tmp_path):
    with pytest.raises(
        DataError, match=r"x\.csv:2: .*If quotes are ordinary characters in this file: source\.quoting=none"
    ):
        read(tmp_path, "x.csv", 'text,label\n"So" he said,1\n')


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("x.csv", "text;label\nso, so;1\n", "';'"),
        ("x.csv", '"text";"label"\r\n"so, so";"1"\r\n', "';'"),
        ("x.csv", "text\tlabel\nso, so\t1\n", "tab"),
        ("x.csv", "text|label\nso, so|1\n", r"'\|'"),
        ("x.tsv", 'text,label\n"so, so",1\n', "','"),
    ],
)
def test_the_delimiter_that_the_header_shows_is_used_and_said(tmp_path, caplog, name, content, named):
    caplog.set_level(logging.INFO)
    assert read(tmp_path, name, content) == [["so, so", "1"]]
    assert caplog.messages[0].endswith(f"{name}: the delimiter is {named} (source.delimiter)".replace("\\", ""))


def test_the_line_by_which_excel_is_told_the_delimiter_is_no_header(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("sep=;\ntext;label\na,b;1\n")
    (row,) = read_file(path)
    assert (row.values, row.where) == ({"text": "a,b", "label": "1"}, f"{path}:3")


def test_a_header_that_fits_two_delimiters_is_refused_with_the_key(tmp_path):
    content = "text;label|more\n1;2|3\n"
    with pytest.raises(DataError, match=r"x\.csv:1: the delimiter may be ';' or '\|': set tasks\.a\.source\.delimiter"):
        read(tmp_path, "x.csv", content, Options(key="tasks.a.source"))
    assert read(tmp_path, "x.csv", content, Options(delimiter=";")) == [["1", "2|3"]]


def test_a_row_that_does_not_fit_names_the_delimiter_that_the_header_may_mean(tmp_path):
    with pytest.raises(
        DataError, match=r"x\.csv:2: 1 fields, but the header has 2\. The delimiter seems to be ';': set source\.del"
    ):
        read(tmp_path, "x.csv", "id;a, b;c\n1;2;3\n")


def test_one_column_is_no_fault(tmp_path):
    assert read(tmp_path, "x.csv", "text\nso; so\n") == [["so; so"]]


@pytest.mark.parametrize(
    ("name", "content", "is_usual"),
    [
        ("x.csv", "a,b\n1,2\n", True),
        ("x.csv", "a;b\n1;2\n", False),
        ("x.tsv", "a\tb\n1\t2\n", True),
        ("x.tsv", 'a\tb\n"1"\t2\n', False),
        ("x.jsonl", '{"a": 1}\n', True),
    ],
)
def test_what_a_file_shows_is_part_of_the_digest_of_its_rows(tmp_path, name, content, is_usual):
    (tmp_path / name).write_text(content)
    assert (read_as(tmp_path / name, Options()) == "") is is_usual
    if name == "x.tsv":
        assert read_as(tmp_path / name, Options(quoting="csv")) != read_as(tmp_path / name, Options(quoting="none"))


def test_a_quote_that_is_never_closed_ends_before_memory_does(tmp_path):
    with pytest.raises(DataError, match=r"x\.csv:2: the row that begins here .*field larger than field limit"):
        read(tmp_path, "x.csv", b'a,b\n1,"2\n' + b"x,y\n" * 3_000_000)
