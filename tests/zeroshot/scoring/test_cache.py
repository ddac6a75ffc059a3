import sqlite3

import numpy as np
import pytest

from mtl_cli.errors import RunError
from mtl_cli.zeroshot.scoring.cache import Cache
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


@pytest.fixture
def block(tmp_path):
    """A block of texts, scored by a `Scorer`: the scores, and what the scorer was asked."""

    def call(texts, words, *, signature="m", arithmetic="a", alone=True):
        scorer, cache = Scorer(), Cache(tmp_path, lambda: arithmetic)
        found = cache.filled_block(signature, texts, phrases(*words), scorer, phrases_alone=alone)
        assert found.tolist() == Scorer()(texts, phrases(*words)).tolist()
        return scorer.asked

    return call


def test_a_block_is_scored_again_where_it_has_changed_and_a_phrase_by_itself_costs_its_own_column(block):
    assert block(["x", "yy", "x"], ["a", "bb"]) == [(["x", "yy", "x"], ["a", "bb"])]
    assert block(["x", "yy", "x"], ["bb", "ccc", "a"]) == [(["x", "yy", "x"], ["ccc"])]
    assert block(["x", "yy"], ["a"]) == [(["x", "yy"], ["a"])]
    assert block(["yy", "x", "x"], ["a"]) == [(["yy", "x", "x"], ["a"])]


def test_phrases_that_are_scored_together_are_scored_again_together(block):
    assert block(["x", "yy"], ["a", "bb"], alone=False) == [(["x", "yy"], ["a", "bb"])]
    assert block(["x", "yy"], ["a", "bb"], alone=False) == []
    assert block(["x", "yy"], ["a"], alone=False) == [(["x", "yy"], ["a"])]
    assert block(["x", "yy"], ["a", "bb"]) == [(["x", "yy"], ["a", "bb"])]


def test_what_rounds_in_another_way_is_another_score(block):
    block(["x"], ["a"])
    assert block(["x"], ["a"], signature="n") == block(["x"], ["a"], arithmetic="b") == [(["x"], ["a"])]


def test_a_block_comes_back_bit_for_bit(tmp_path):
    values = np.array([[-200.123456789012345, 1 / 3], [np.nextafter(0, 1), -0.0]])
    cache = Cache(tmp_path)

    def call(scorer):
        return cache.filled_block("m", ["x", "y"], phrases("a", "b"), scorer, phrases_alone=False).tobytes()

    assert call(lambda *_: values) == call(lambda *_: pytest.fail("asked again")) == values.tobytes()


def test_a_block_that_was_cut_in_the_file_is_told(tmp_path):
    cache = Cache(tmp_path)
    cache.filled_block("m", ["x", "y"], phrases("a"), Scorer(), phrases_alone=False)
    (path,) = tmp_path.glob("*.sqlite")
    with sqlite3.connect(path) as db:
        db.execute("UPDATE blocks SET scores = x'00'")
    with pytest.raises(RunError, match=r"cannot use the cache of scores .* Remove the file"):
        cache.filled_block("m", ["x", "y"], phrases("a"), Scorer(), phrases_alone=False)


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
