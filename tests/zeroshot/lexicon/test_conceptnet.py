"""A dump made by hand, read as the real one would be."""

import gzip
import json
import re

import pytest

from mtl_cli.errors import DataError
from mtl_cli.zeroshot.lexicon.conceptnet import Edge, edges


def line(relation, start, end, weight=1.0):
    told = json.dumps({"dataset": "/d/x", "weight": weight})
    return f"/a/[/r/{relation}/,{start}/,{end}/]\t/r/{relation}\t{start}\t{end}\t{told}\n"


DUMP = (
    line("IsA", "/c/en/credit_card/n/wn/possession", "/c/en/card/n", 2.0)
    + line("Synonym", "/c/fr/carte", "/c/en/card")
    + line("RelatedTo", "/c/en/cardinal", "/c/en/bishop")
    + line("Synonym", "/c/en/card", "/c/en/ticket/n", 0.5)
)


def test_edges_of_the_terms_come_in_the_order_of_the_file_in_their_language_alone(tmp_path):
    path = tmp_path / "dump.csv"
    path.write_text(DUMP, encoding="utf-8")
    assert list(edges(path, "en", {"card", "credit card"})) == [
        Edge("IsA", "credit card", "card", 2.0),
        Edge("Synonym", "card", "ticket", 0.5),
    ]


def test_a_compressed_dump_is_read_alike(tmp_path):
    with gzip.open(tmp_path / "dump.csv.gz", "wt", encoding="utf-8") as stream:
        stream.write(DUMP)
    assert [edge.end for edge in edges(tmp_path / "dump.csv.gz", "en", {"cardinal"})] == ["bishop"]


def test_lines_that_are_no_assertions_are_passed_over_and_told(tmp_path, caplog):
    path = tmp_path / "dump.csv"
    bad = "/a/x\t/r/Synonym\t/c/en/card\t/c/en/x\t{}\n"
    path.write_text(DUMP + "two\tcolumns\n" + bad, encoding="utf-8")
    assert len(list(edges(path, "en", {"card"}))) == 2
    assert "2 of 6 lines are no assertions, the first is line 5; they were passed over" in caplog.text


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "dump.csv"
    path.write_text("a,b\nc,d\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"2 of 2 lines are no assertions, the first is line 1\. It must hold five columns"
    ):
        list(edges(path, "en", {"card"}))


def test_a_dump_that_is_cut_off_is_named(tmp_path):
    path = tmp_path / "dump.csv.gz"
    path.write_bytes(gzip.compress(DUMP.encode())[:-12])
    with pytest.raises(DataError, match=re.escape(f"cannot read {path}: ")):
        list(edges(path, "en", {"card"}))
    path.write_text("not compressed")
    with pytest.raises(DataError, match="cannot read"):
        list(edges(path, "en", {"card"}))
