"""What others write is read back equal, in every format and whatever the texts hold."""

import contextlib
import csv
import gzip
import io
import itertools
import json
import sys

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mtl_cli.tasks.files import Options, read_file

LETTERS = st.sampled_from(
    list("ab \"'\t\n\r,;|\\[{}]é\u2028\x85\u00a0😀") + (["\0"] if sys.version_info >= (3, 11) else [])
)
TEXT = st.text(LETTERS, max_size=8)
ROWS = st.lists(st.fixed_dictionaries({"text": TEXT, "label": TEXT}), min_size=1, max_size=5)
NUMBERS = itertools.count()
FEW = settings(max_examples=60, derandomize=True, deadline=None, database=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("round")


def put(path, content, packed):
    """Write a file under a name that no earlier example had: how a file is read is remembered."""
    path = path.with_name(f"{next(NUMBERS)}-{path.name}{'.gz' if packed else ''}")
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    return path


def values(path, options=Options()):  # noqa: B008
    return [dict(row.values) for row in read_file(path, options)]


def delimited(rows, delimiter, quoting):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@FEW
@given(ROWS, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from([",", ";", "|", "\t"]), st.booleans())
def test_csv(folder, rows, quoting, delimiter, packed):
    assert values(put(folder / "x.csv", delimited(rows, delimiter, quoting), packed)) == rows


@FEW
@given(ROWS, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.booleans())
def test_tsv_that_is_quoted_and_says_so(folder, rows, quoting, packed):
    path = put(folder / "x.tsv", delimited(rows, "\t", quoting), packed)
    assert values(path, Options(quoting="csv")) == rows


@FEW
@given(ROWS, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.booleans())
def test_tsv_that_is_quoted_is_told_by_the_file(folder, rows, quoting, packed):
    # Lines that have the header's fields whether quotes count or not: no reader could tell.
    assume(not any("\t" in text and ("\n" in text or "\r" in text) for row in rows for text in row.values()))
    assert values(put(folder / "x.tsv", delimited(rows, "\t", quoting), packed)) == rows


@FEW
@given(st.lists(st.fixed_dictionaries({"text": TEXT.filter(lambda text: text)}), min_size=1, max_size=5))
def test_tsv_of_one_quoted_column(folder, rows):
    assert values(put(folder / "x.tsv", delimited(rows, "\t", csv.QUOTE_ALL), packed=False)) == rows


@FEW
@given(
    st.lists(
        st.fixed_dictionaries({"text": st.text(st.sampled_from('ab "\u2028\x85'), max_size=8), "label": st.just("x")}),
        min_size=1,
        max_size=5,
    )
)
def test_tsv_without_quoting_keeps_quotes(folder, rows):
    content = "text\tlabel\n" + "".join(f"{row['text']}\t{row['label']}\n" for row in rows)
    path = put(folder / "x.tsv", content, packed=False)
    assert values(path, Options(quoting="none")) == rows
    # One stray quote anywhere, as in `"So," he said`, and all quotes of the file are letters.
    stray = [*rows, {"text": '"So," he said', "label": "x"}]
    assert values(put(folder / "x.tsv", content + '"So," he said\tx\n', packed=False)) == stray


JSON_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": TEXT,
            "label": st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | TEXT,
            "more": st.lists(TEXT, max_size=2) | st.dictionaries(TEXT, TEXT, max_size=2),
        }
    ),
    min_size=1,
    max_size=4,
)


@FEW
@given(JSON_ROWS, st.booleans(), st.booleans(), st.sampled_from(["x.json", "x.jsonl"]))
def test_json(folder, rows, ascii_only, packed, name):
    def dumped(value, **options):
        return json.dumps(value, ensure_ascii=ascii_only, **options)

    forms = [
        "".join(dumped(row) + "\n" for row in rows),
        " \n" + "\r\n\r\n".join(dumped(row) + " " for row in rows),
        dumped(rows),
        dumped(rows, indent=2),
        "\n".join(dumped(row, indent=1) for row in rows),
        dumped({"version": 1, "data": rows}, indent=2),
        dumped({"data": rows}),
    ]
    for content in forms:
        assert values(put(folder / name, content, packed)) == rows


@FEW
@given(ROWS)
def test_json_as_pandas_writes_it(folder, rows):
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for table in (
        columns,
        {name: {str(i): text for i, text in enumerate(column)} for name, column in columns.items()},
        {str(i): row for i, row in enumerate(rows)},
        {
            "columns": list(columns),
            "index": [*range(len(rows))],
            "data": [[row[name] for name in columns] for row in rows],
        },
    ):
        assert values(put(folder / "x.json", json.dumps(table), packed=False)) == rows
        assert values(put(folder / "x.json", json.dumps(table, indent=2), packed=False)) == rows


@settings(FEW, max_examples=6)  # each starts two processes
@given(JSON_ROWS.filter(lambda rows: all(isinstance(row["more"], list) for row in rows)), st.booleans())
def test_parquet_and_arrow(folder, rows, with_footer):
    # A column has one type there.
    rows = [row | {"label": None if row["label"] is None else str(row["label"])} for row in rows]
    schema = pyarrow.schema(
        [("text", pyarrow.string()), ("label", pyarrow.string()), ("more", pyarrow.list_(pyarrow.string()))]
    )
    table = pyarrow.Table.from_pylist(rows, schema)
    pyarrow.parquet.write_table(table, folder / "x.parquet")
    writer = pyarrow.ipc.new_file if with_footer else pyarrow.ipc.new_stream
    with contextlib.closing(writer(folder / "x.arrow", schema)) as out:
        out.write_table(table)
    assert values(folder / "x.parquet") == rows
    assert values(folder / "x.arrow") == rows


@FEW
@given(st.lists(TEXT.filter(lambda text: text.strip() and not {"\n", "\r"} & set(text)), min_size=1), st.booleans())
def test_txt(folder, texts, packed):
    assert values(put(folder / "x.txt", "\n".join(texts), packed)) == [{"text": text} for text in texts]
