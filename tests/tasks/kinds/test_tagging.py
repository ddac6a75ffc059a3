"""Tags of words: how they are read, their loss by hand, what they decode to."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.inputs.base import EncodedRow
from mtl_cli.tasks.kinds.tagging import Tagging
from mtl_cli.tasks.labels import assembled

BIO = Tagging(labels=["O", "B-x", "I-x"])
PLAIN = Tagging(labels=["NOUN", "VERB", "ADJ"], scheme="plain")


def stored(kind, rows):
    """Targets of some rows: (raw label, place of each word's first token) each."""
    reader = kind.reader()
    read = [reader.read(value, EncodedRow([1], [0], False, arrays={"words": words})) for value, words in rows]
    codes = {name: assembled(spec, [one[i] for one in read]) for i, (name, spec) in enumerate(kind.columns.items())}
    return kind.targets(reader.facts(), codes)


def tensors(columns):
    return {name: Column(torch.from_numpy(np.asarray(one.values)), one.offsets) for name, one in columns.items()}


@pytest.mark.parametrize(
    "value", [["B-x", "I-x", "O"], [1, 2, 0], ["1", "2", "0"], "B-x I-x O", " 1  2 0\n"],
    ids=["names", "ids", "texts", "one text", "blanks"],
)  # fmt: skip
def test_tags_are_names_or_ids_in_a_list_or_between_blanks(value):
    found = stored(BIO, [(value, [1, 2, 3])])
    assert BIO.gold(found.columns).tolist() == [("B-x", "I-x", "O")]


def test_how_tags_are_read_is_decided_for_all_words_of_a_set():
    found = stored(BIO, [([0, 0], [1, 2]), ([1, 2], [1, 2])])
    assert found.reading.line == "ids: 0 is O, 1 is B-x, 2 is I-x"
    with pytest.raises(ValueError, match="the labels are of several sorts"):
        stored(BIO, [([0, 0], [1, 2]), (["B-x"], [1])])


def test_a_word_may_lack_a_tag_and_a_row_all_of_them():
    found = stored(BIO, [(["B-x", None], [1, 2]), (None, [1, 2]), ("", [1])]).columns
    assert BIO.gold(found).tolist() == [("B-x", None), (None, None), (None,)]
    assert BIO.labelled(found).tolist() == [True, False, False]


def test_a_tag_too_many_and_an_unknown_one_are_refused():
    with pytest.raises(ValueError, match="has 3 tags for 2 words"):
        stored(BIO, [(["O", "O", "O"], [1, 2])])
    with pytest.raises(ValueError, match=r"label 'B-y' is outside the label set: O, B-x, I-x"):
        stored(BIO, [(["B-y"], [1])])
    with pytest.raises(ValueError, match="label 7 is neither a list of tags nor a text"):
        stored(BIO, [(7, [1])])


def test_units_are_the_words_with_a_tag_and_a_token():
    found = stored(BIO, [(["O", "B-x", None], [1, -1, 3]), ([], []), (["O", "O"], [1, 2])]).columns
    assert BIO.units(found).tolist() == [1, 0, 2]


def test_loss_is_the_sum_over_the_words_of_each_row_without_those_that_were_cut_off():
    rows = [(["O", "B-x"], [1, 2]), ([], []), (["I-x", None, "O"], [1, 2, -1])]
    targets = tensors(stored(BIO, rows).columns)
    out = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    logs = log_softmax(out, axis=1)
    found = BIO.loss(Column(torch.tensor(out), targets["tags"].offsets), targets)
    assert found.tolist() == pytest.approx([-(logs[0, 0] + logs[1, 1]), 0, -logs[2, 2]], abs=1e-6)


def test_a_word_that_was_cut_off_is_outside_any_entity_and_has_no_plain_tag():
    out = Column(np.float32([[0, 9, 0], [0, 9, 0], [9, 0, 0]]), np.array([0, 2, 3]))
    arrays = {"words": Column(np.array([1, -1, 1]), np.array([0, 2, 3]))}
    assert BIO.decode(out, arrays).values_N.tolist() == [("B-x", "O"), ("O",)]
    assert PLAIN.decode(out, arrays).values_N.tolist() == [("VERB", None), ("NOUN",)]


def test_what_is_shown_can_be_parsed_again_and_nothing_else():
    tags = ("B-x", None, "O")
    assert BIO.parsed(BIO.shown(tags)) == tags
    for wrong in ("B-x", ["B-y"], None):
        with pytest.raises(ValueError, match="is not a list of the tags O, B-x, I-x"):
            BIO.parsed(wrong)


def test_labels_that_are_no_bio_tags_point_to_the_plain_scheme():
    with pytest.raises(ValueError, match=r"found 'NOUN'\. Other tags: scheme: plain"):
        Tagging(labels=["O", "NOUN"])
    with pytest.raises(ValueError, match="O is not there"):
        Tagging(labels=["B-x", "I-x"])
    assert (BIO.form, PLAIN.form) == ("entities", "tags")


def test_tags_are_counted_over_words():
    found = stored(BIO, [(["O", "O", "B-x"], [1, 2, 3])]).columns
    assert BIO.described(found) == "O 2, B-x 1, I-x 0"
    assert BIO.absent(found) == ("I-x",)
