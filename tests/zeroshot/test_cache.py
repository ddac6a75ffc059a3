import sqlite3

import numpy as np
import pytest

from mtl_cli.errors import RunError
from mtl_cli.zeroshot.cache import Cache
from tests.zeroshot.fakes import label


class Scorer:
    """text length + 100 * phrase length; counts what it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, texts, phrases):
        self.asked.append((list(texts), [phrase.words for phrase in phrases]))
        return np.array([[len(t) + 100.0 * len(p.text) for p in phrases] for t in texts])


def phrases(*words, template="{}"):
    return label("l", *words, templates=(template,)).phrases


def test_what_was_scored_is_not_scored_again_and_a_new_column_or_row_costs_itself_alone(tmp_path):
    scorer, cache = Scorer(), Cache(tmp_path / "c")
    first = cache.filled("m", ["x", "yy", "x"], phrases("a", "bb"), scorer)
    assert first.tolist() == [[101, 201], [102, 202], [101, 201]]
    again = Cache(tmp_path / "c").filled("m", ["yy", "zzz"], phrases("bb", "ccc"), scorer)
    assert again.tolist() == [[202, 302], [203, 303]]
    assert scorer.asked[1:] == [(["yy"], ["ccc"]), (["zzz"], ["bb", "ccc"])]


def test_another_model_or_template_is_another_score(tmp_path):
    scorer, cache = Scorer(), Cache(tmp_path)
    cache.filled("m", ["x"], phrases("a"), scorer)
    cache.filled("n", ["x"], phrases("a"), scorer)
    cache.filled("m", ["x"], phrases("a", template="on {}"), scorer)
    cache.filled("m", ["x"], phrases("on a"), scorer)
    assert len(scorer.asked) == 4, "`on {}` with a, and `{}` with `on a`, put the label at another place"


def test_values_come_back_as_they_were_bit_for_bit(tmp_path):
    values = np.array([[-200.123456789012345, 1 / 3, np.nextafter(0, 1)]])
    cache = Cache(tmp_path)
    cache.filled("m", ["x"], phrases("a", "b", "c"), lambda texts, phrases: values)
    assert (
        cache.filled("m", ["x"], phrases("a", "b", "c"), lambda *_: pytest.fail("asked again")).tolist()
        == values.tolist()
    )


def test_a_damaged_file_is_told_without_a_traceback(tmp_path):
    cache = Cache(tmp_path)
    cache.filled("m", ["x"], phrases("a"), Scorer())
    (path,) = tmp_path.glob("*.sqlite")
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(
        RunError, match=r"cannot use the cache of scores .*sqlite: file is not a database. Remove the file"
    ):
        cache.filled("m", ["x"], phrases("a"), Scorer())


def test_no_text_stands_in_the_file(tmp_path):
    Cache(tmp_path).filled("m", ["a secret"], phrases("a"), Scorer())
    (path,) = tmp_path.glob("*.sqlite")
    assert b"secret" not in path.read_bytes()
    assert sqlite3.connect(path).execute("SELECT count(*) FROM scores").fetchone() == (1,)
