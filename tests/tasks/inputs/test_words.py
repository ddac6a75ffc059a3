"""Words on their way to tokens: where each begins."""

import dataclasses

import pytest

from mtl_cli.errors import DataError
from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.tasks.files import Row
from mtl_cli.tasks.inputs.words import WordsInput
from tests.data.fakes import pair_task


def encoded(*values, max_length=64, tokenizer=None):
    task = dataclasses.replace(pair_task(text=("a",), max_length=max_length), input=WordsInput())
    rows = [Row(f"f.csv, row {i + 1}", {"a": value}) for i, value in enumerate(values)]
    return task.input.encode(task.asked, rows, tokenizer or byte_tokenizer(max_length))


@pytest.mark.parametrize("value", [["ab", "c", "def"], " ab c\n def "])
def test_words_are_items_of_a_list_or_stand_between_blanks(value):
    tokenizer = byte_tokenizer(64)
    (row,) = encoded(value)
    assert row.arrays["words"] == [1, 3, 4]  # behind [CLS]: a, b | c | d, e, f
    assert tokenizer.decode([row.ids[place] for place in row.arrays["words"]]).replace(" ", "") == "acd"


@pytest.mark.parametrize(("side", "places"), [("right", [1, 3, -1]), ("left", [-1, 1, 2])])
def test_a_word_that_is_cut_off_has_no_place(side, places):
    tokenizer = byte_tokenizer(64)
    tokenizer.truncation_side = side
    (row,) = encoded(["ab", "c", "def"], max_length={"right": 5, "left": 6}[side], tokenizer=tokenizer)
    assert row.cut
    assert row.arrays["words"] == places


def test_a_row_without_words_has_tokens_all_the_same():
    empty, blank = encoded([], "  ")
    assert empty.arrays["words"] == blank.arrays["words"] == []
    assert len(empty.ids) > 0
    assert empty.text_hash == 0


def test_a_word_without_characters_has_no_place_and_does_not_move_the_others():
    (row,) = encoded(["a", "", "b"])
    assert row.arrays["words"] == [1, -1, 2]


def test_an_item_that_is_no_text_is_told_with_its_place():
    with pytest.raises(DataError, match=r"f\.csv, row 2: item 1 of column 'a' is 7, and a word is a text"):
        encoded(["a"], ["a", 7])


def test_words_are_of_one_column():
    with pytest.raises(ValueError, match="must name one column for input: words; found 2"):
        WordsInput().check(["a", "b"])
