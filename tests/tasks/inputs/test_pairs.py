"""Packed pairs on their way to token ids: where the hypothesis begins, and that only the text is ever cut."""

import dataclasses

import numpy as np
import pytest
from tokenizers import processors

from mtl_cli.data.encoded import encode, tokenizer_fingerprint
from mtl_cli.errors import DataError
from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.tasks.files import Row
from mtl_cli.tasks.inputs.packed import PackedInput
from mtl_cli.tasks.inputs.text import TextInput
from tests.data.fakes import file_origin, pair_task


def rows(*pairs):
    return [Row(f"file.csv, row {i + 1}", {"a": a, "b": b, "label": "yes"}) for i, (a, b) in enumerate(pairs)]


def tokenised(task, given, tokenizer):
    return task.input.encode(task.asked, given, tokenizer)


def packed(max_length=64, **options):
    return dataclasses.replace(pair_task(max_length=max_length, **options), input=PackedInput())


def roberta_like(max_length=64):
    """`<s> a </s> </s> b </s>` and no types."""
    tokenizer = byte_tokenizer(max_length)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    return tokenizer


PAIRS = [("one", "two"), ("", "é"), ("one", ""), ("a b", "c")]


@pytest.mark.parametrize(("make", "between"), [(byte_tokenizer, 1), (roberta_like, 2)])
def test_a_short_pair_has_the_tokenizer_s_own_ids_and_its_hypothesis_begins_behind_the_tokens_between(make, between):
    tokenizer = make(64)
    found = tokenised(packed(), rows(*PAIRS), tokenizer)
    for (a, b), row in zip(PAIRS, found, strict=True):
        expected = tokenizer([a], [b])["input_ids"][0]  # as one of several: alone, an empty second text is no text
        assert list(row.ids) == expected
        assert row.arrays["seconds"] == 1 + len(a.encode()) + between
        assert row.ids[row.arrays["seconds"] :] == [*tokenizer(b, add_special_tokens=False)["input_ids"], 3]
        assert not row.cut
    assert list(found[0].types) == tokenizer("one", "two").encodings[0].type_ids


@pytest.mark.parametrize(("side", "kept"), [("right", "abcde"), ("left", "vwxyz")])
def test_the_text_alone_is_cut_at_the_tokenizer_s_side_though_it_is_the_shorter_one(side, kept):
    tokenizer = byte_tokenizer(64)
    tokenizer.truncation_side = side
    text, hypothesis = "abcdefghijklmnopqrstuvwxyz", "h" * 40
    (row,) = tokenised(packed(max_length=48), rows((text, hypothesis)), tokenizer)
    assert list(row.ids) == tokenizer(kept, hypothesis)["input_ids"]
    assert list(row.types) == tokenizer(kept, hypothesis)["token_type_ids"]
    assert (row.cut, row.arrays) == (True, {"seconds": 7})
    (joint,) = tokenised(pair_task(max_length=48), rows((text, hypothesis)), tokenizer)
    assert list(joint.ids) != list(row.ids)
    assert joint.arrays == {}


def test_a_text_of_just_the_length_is_whole_and_one_token_of_it_must_stay():
    tokenizer = byte_tokenizer(64)
    whole, least = tokenised(packed(max_length=9), rows(("one", "two"), ("abc", "defgh")), tokenizer)
    assert (whole.cut, least.cut) == (False, True)
    assert list(least.ids) == tokenizer("a", "defgh")["input_ids"]


def test_a_hypothesis_that_leaves_no_room_is_told_with_its_row():
    with pytest.raises(
        DataError, match=r"task 'nli': file\.csv, row 2: column 'b': the hypothesis has 6 tokens.*there is room for 5"
    ):
        tokenised(packed(max_length=9), rows(("one", "two"), ("a", "bcdefg")), byte_tokenizer(64))


def test_a_packed_set_on_disk_knows_where_hypotheses_begin_and_is_another_than_the_joint_one(tmp_path):
    (tmp_path / "train.csv").write_text(
        "a,b,label\n" + "".join(f"{a},{b},yes\n" for a, b in PAIRS) + f"{'x' * 99},y,no\n"
    )
    origin, reads = file_origin(tmp_path / "train.csv")
    tokenizer = roberta_like()

    def run(task):
        return encode(task, origin, tokenizer, tokenizer_fingerprint(tokenizer), tmp_path / "cache")

    found, joint = run(packed()), run(pair_task())
    assert found.arrays["seconds"].values.tolist() == [6, 3, 6, 6, 62]
    assert found.arrays["seconds"].values.dtype == np.int32
    assert joint.arrays == {}
    assert (found.types_T, found.meta.truncated) == (None, 1)
    assert len(reads) == 2
    assert run(packed()).arrays["seconds"].values.tolist() == found.arrays["seconds"].values.tolist()
    assert len(reads) == 2


def bare(max_length=64):
    """No special tokens around a text."""
    tokenizer = byte_tokenizer(max_length)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A", pair="$A $B:1", special_tokens=[]
    )
    return tokenizer


@pytest.mark.parametrize("way", [TextInput(), PackedInput()])
def test_a_row_without_tokens_is_one_special_token(way):
    task, tokenizer = dataclasses.replace(pair_task(), input=way), bare()
    empty, full = tokenised(task, rows(("", ""), ("a", "b")), tokenizer)
    assert (empty.ids, empty.types, len(full.ids)) == ([tokenizer.cls_token_id], [0], 2)


def test_equal_texts_have_equal_hashes_and_empty_ones_have_none():
    pairs = [("a", "b"), ("a", "b"), ("ab", ""), ("a", "c"), (" ", "b"), ("a", "\u200b"), ("b", "a")]
    found = [row.text_hash for row in tokenised(pair_task(), rows(*pairs), byte_tokenizer(64))]
    assert found[0] == found[1] != 0
    assert [found[i] for i in (2, 4, 5)] == [0, 0, 0]
    assert len(set(found)) == 4


WORDS = [f"word{i % 977}" for i in range(40_000)]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    "text", [" ".join(WORDS), " " * 50_000 + "so " + " " * 300_000, "x" * 100_000, "é ü\n" * 60_000, "short"]
)
def test_of_a_long_text_no_more_is_tokenised_than_is_kept_and_the_tokens_are_the_same(side, text):
    tokenizer = byte_tokenizer(64)
    tokenizer.truncation_side = side
    task = dataclasses.replace(pair_task(max_length=64), text=("a",))
    (row,) = tokenised(task, rows((text, "")), tokenizer)
    whole = tokenizer([text], truncation=True, max_length=64).encodings[0]
    assert (list(row.ids), row.cut) == (whole.ids, bool(whole.overflowing))


def test_a_long_text_costs_no_more_than_what_is_kept_of_it(monkeypatch):
    tokenizer = byte_tokenizer(64)
    lengths = []

    class Counted:
        def __getattr__(self, name):
            return getattr(tokenizer, name)

        def __call__(self, texts, *more, **options):
            lengths.extend(map(len, texts))
            return tokenizer(texts, *more, **options)

    task = dataclasses.replace(pair_task(max_length=64), text=("a",))
    tokenised(task, rows((" ".join(WORDS), "")), Counted())
    assert max(lengths) <= 20_000
