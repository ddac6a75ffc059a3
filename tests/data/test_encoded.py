"""Rows on disk as token ids: written once, found by content."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from mtl_cli.data.encoded import encode, tokenizer_fingerprint
from mtl_cli.errors import DataError, RunError
from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.kinds.regression import Regression
from mtl_cli.tasks.source import Origin
from tests.data.fakes import file_origin, pair_task
from tests.fakes import encoded as encoded_of
from tests.fakes import tiny_backbone

ROWS = [
    {"a": "one", "b": "two", "label": "yes"},
    {"a": "long " * 30, "b": "x", "label": "no"},
    {"a": "", "b": "é", "label": None},
]


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer(512)


@pytest.fixture
def given(tmp_path):
    """Rows as a file: its origin, and how often it was read."""

    def write(rows=ROWS, name="train.jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return file_origin(tmp_path / name)

    return write


@pytest.fixture
def encoded(tmp_path, tokenizer):
    """Encodes into a cache of the test's own."""

    def run(origin, task=None, own=tokenizer, **options):
        return encode(task or pair_task(), origin, own, tokenizer_fingerprint(own), tmp_path / "cache", **options)

    return run


def test_rows_are_encoded_anew_where_their_labels_mean_something_else(given, encoded):
    rows = [{"a": "x", "b": "y", "label": 1}]
    (origin, _), kinds = given(rows), [
        Classification(labels=["no", "maybe", "yes"], merge={"maybe": "no"}), Classification(labels=["no", "yes"]),
        Classification(labels=["no", "yes", "maybe"], merge={"maybe": "no"}),
    ]  # fmt: skip
    assert {kind.classes for kind in kinds} == {("no", "yes")}
    assert [encoded(origin, pair_task(kind)).targets["label"].values.tolist() for kind in kinds] == [[0], [1], [1]]


def entries(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache" / "encoded").glob("*"))


def row_ids(found, row):
    return found.ids_T[found.offsets[row] : found.offsets[row + 1]].tolist()


def test_each_row_holds_the_tokenizer_s_ids_of_its_texts(given, encoded, tokenizer):
    found = encoded(given()[0])
    for i, row in enumerate(ROWS):
        assert row_ids(found, i) == tokenizer(row["a"], row["b"], truncation=True, max_length=64)["input_ids"]
    assert tokenizer.decode(row_ids(found, 0), skip_special_tokens=True).replace(" ", "") == "onetwo"


@pytest.mark.parametrize("strict", [False, True])
def test_a_tokenizer_is_afterwards_as_it_was_so_that_runs_save_the_same_with_a_cold_and_a_warm_cache(
    given, encoded, strict
):
    own = byte_tokenizer(512)
    if strict:
        own.backend_tokenizer.enable_truncation(7, stride=1, direction="left")
        own.backend_tokenizer.enable_padding(pad_id=3, length=9)
    before = own.backend_tokenizer.to_str()
    encoded(given()[0], own=own)
    assert own.backend_tokenizer.to_str() == before


def test_types_tell_the_two_texts_of_a_pair_apart(given, encoded, tokenizer):
    found = encoded(given()[0])
    expected = tokenizer([r["a"] for r in ROWS], [r["b"] for r in ROWS], truncation=True, max_length=64)[
        "token_type_ids"
    ]
    assert found.types_T.tolist() == [t for row in expected for t in row]
    assert set(found.types_T.tolist()) == {0, 1}


def test_single_texts_need_no_types(given, encoded):
    found = encoded(given()[0], pair_task(text=("a",)))
    assert found.types_T is None


def test_labels_are_class_indices_and_nan_where_there_is_none(given, encoded):
    assert encoded(given()[0]).targets["label"].values.tolist()[:2] == [1.0, 0.0]
    assert math.isnan(encoded(given()[0]).targets["label"].values[2])


def test_the_facts_of_a_set_are_counted(given, encoded, tokenizer):
    found = encoded(given()[0])
    # [CLS] a [SEP] b [SEP] in bytes, cut at 64; é has two bytes
    assert found.lengths(np.array([0, 1, 2])).tolist() == [9, 64, 5]
    assert (found.meta.rows, len(found), found.meta.tokens) == (3, 3, 9 + 64 + 5)
    assert (found.meta.truncated, found.unlabelled, found.meta.empty_texts) == (1, 1, 1)
    assert found.meta.max_id == max(found.ids_T) < len(tokenizer)


def test_a_row_of_just_the_length_is_not_truncated(given, encoded):
    assert encoded(given([ROWS[0]])[0], pair_task(max_length=9)).meta.truncated == 0
    assert encoded(given([ROWS[0]])[0], pair_task(max_length=8)).meta.truncated == 1


def test_the_arrays_are_memory_mapped_and_read_only(given, encoded):
    found = encoded(given()[0])
    for array in (found.ids_T, found.types_T, found.offsets, found.hashes_N):
        assert not array.flags.owndata
        assert not array.flags.writeable


def test_a_second_call_reads_no_row_and_gives_the_same(given, encoded):
    origin, reads = given()
    first, second = encoded(origin), encoded(origin)
    assert len(reads) == 1
    assert first.meta == second.meta
    for name in ("ids_T", "types_T", "offsets", "labelled_N"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert first.targets["label"].values.tobytes() == second.targets["label"].values.tobytes()


def test_the_same_content_at_another_place_is_not_encoded_again(given, encoded, tmp_path):
    encoded(given()[0])
    origin, reads = given(name="copy.jsonl")
    assert encoded(origin).origin is origin
    assert reads == []
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize(
    "changed",
    [
        pair_task(max_length=63),
        pair_task(text=("b", "a")),
        pair_task(text=("a",)),
        pair_task(Classification(labels=["yes", "no"])),
        pair_task(Classification(labels=["no", "yes", "maybe"])),
        replace(pair_task(Regression(scale="none")), label="n"),
    ],
    ids=["length", "order of texts", "one text", "order of classes", "more classes", "kind"],
)
def test_another_reading_of_the_same_rows_is_another_entry(given, encoded, tmp_path, changed):
    origin, reads = given([row | {"n": 0.5} for row in ROWS])
    encoded(origin)
    encoded(origin, changed)
    assert len(reads) == len(entries(tmp_path)) == 2


def test_tasks_that_differ_in_name_and_metrics_share_an_entry(given, encoded, tmp_path):
    origin, reads = given()
    encoded(origin)
    encoded(origin, replace(pair_task(name="other"), metrics=("f1",)))
    assert len(reads) == len(entries(tmp_path)) == 1


def test_changed_content_is_another_entry(given, encoded, tmp_path):
    before = encoded(given()[0])
    after = encoded(given([ROWS[0] | {"a": "ONE"}, *ROWS[1:]])[0])
    assert len(entries(tmp_path)) == 2
    assert row_ids(before, 0) != row_ids(after, 0)
    assert before.meta.fingerprint != after.meta.fingerprint


def test_another_tokenizer_is_another_entry(given, encoded, tmp_path):
    from tokenizers import normalizers

    own = byte_tokenizer(512)
    own.backend_tokenizer.normalizer = normalizers.Lowercase()
    origin, reads = given([ROWS[0] | {"a": "ONE"}])
    upper, lower = encoded(origin), encoded(origin, own=own)
    assert len(reads) == len(entries(tmp_path)) == 2
    assert row_ids(upper, 0) != row_ids(lower, 0)


def test_tokenizers_that_differ_only_in_their_use_of_types_do_not_share_an_entry(given, encoded):
    own = byte_tokenizer(512)
    own.model_input_names = ["input_ids", "attention_mask"]
    assert encoded(given()[0]).types_T is not None
    assert encoded(given()[0], own=own).types_T is None


def test_tokenizers_that_cut_at_different_ends_do_not_share_an_entry(given, encoded):
    own = byte_tokenizer(512)
    own.truncation_side = "left"
    origin, _ = given([{"a": "abcdefgh", "b": "x", "label": 0}])
    assert row_ids(encoded(origin, pair_task(max_length=8)), 0) != row_ids(
        encoded(origin, pair_task(max_length=8), own), 0
    )


def test_the_digest_of_a_tokenizer_does_not_depend_on_earlier_calls():
    own = byte_tokenizer(512)
    before = tokenizer_fingerprint(own)
    own(["abc"], truncation=True, max_length=8, padding="max_length")
    assert tokenizer_fingerprint(own) == before


def test_the_digest_of_a_tokenizer_outlives_saving_and_loading(tmp_path):
    from transformers import PreTrainedTokenizerFast

    own = byte_tokenizer(512)
    own(["abc"], truncation=True, max_length=8)
    own.save_pretrained(tmp_path)
    assert tokenizer_fingerprint(PreTrainedTokenizerFast.from_pretrained(tmp_path)) == tokenizer_fingerprint(own)


def test_more_rows_than_are_encoded_at_once_stay_in_order(given, encoded):
    rows = [{"a": "x" * (i % 7), "b": str(i), "label": i % 2} for i in range(2500)]
    found = encoded(given(rows)[0])
    assert len(found) == 2500
    assert found.lengths(np.arange(2500)).tolist() == [3 + i % 7 + len(str(i)) for i in range(2500)]
    assert found.targets["label"].values.tolist() == [i % 2 for i in range(2500)]
    assert found.offsets[-1] == found.meta.tokens == len(found.ids_T)


@pytest.mark.parametrize("text", [7, 1.5, True])
def test_a_text_may_be_a_number_in_the_file(given, encoded, tokenizer, text):
    found = encoded(given([{"a": text, "b": "x", "label": 0}])[0])
    assert row_ids(found, 0) == tokenizer(str(text), "x")["input_ids"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"a": "x", "b": "y", "label": "perhaps"},
            r"train\.jsonl:2: column 'label': label 'perhaps' .*: no, yes or an id from 0 to 1",
        ),
        ({"a": "x", "b": None, "label": 0}, r"train\.jsonl:2: column 'b' is null; task 'nli' needs a text there"),
        (
            {"a": "x", "label": 0},
            r"train\.jsonl:2: task 'nli' reads column 'b', which is missing\. Columns here: a, label",
        ),
        (
            {"a": "x", "b": "y", "lable": 0},
            r"train\.jsonl:2: task 'nli' reads column 'label', which is missing.*Did you mean 'lable'",
        ),
    ],
)
def test_a_wrong_row_is_named_with_its_line_and_leaves_no_entry(given, encoded, tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        encoded(given([ROWS[0], row])[0])
    assert entries(tmp_path) == []


def test_rows_may_lack_the_label_column_where_no_labels_are_needed(given, encoded):
    origin, _ = given([{"a": "x", "b": "y"}])
    found = encoded(origin, need_labels=False)
    assert np.isnan(found.targets["label"].values).all()
    with pytest.raises(DataError, match=r"task 'nli' reads its labels from column 'label', which is missing"):
        encoded(origin)


def test_rows_with_labels_keep_them_where_none_are_needed(given, encoded):
    assert encoded(given()[0], need_labels=False).targets["label"].values[:2].tolist() == [1.0, 0.0]


def test_a_source_without_rows_is_an_error(encoded, tmp_path):
    nothing = Origin("hub", "test", "some/data", lambda: "0", lambda: iter(()))
    with pytest.raises(DataError, match="some/data: the test set has no rows"):
        encoded(nothing)
    assert entries(tmp_path) == []


def test_a_cache_that_cannot_be_written_names_the_setting(given, encoded, tmp_path):
    (tmp_path / "cache").write_text("a file, no folder")
    with pytest.raises(RunError, match=r"cannot write encoded rows to .*Set data\.cache=DIR or MTL_CACHE"):
        encoded(given()[0])


KILLED = """
import os, signal, sys
from pathlib import Path
from mtl_cli.data.encoded import encode
from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.tasks.source import Origin, file_digest
from tests.data.fakes import pair_task

def rows():
    os.kill(os.getpid(), signal.SIGKILL)
    yield

path = Path(sys.argv[1])
encode(pair_task(), Origin("file", "train", str(path), lambda: file_digest(path), rows), byte_tokenizer(64), "digest", Path(sys.argv[2]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_writer_that_is_killed_leaves_no_entry_behind(given, tokenizer, tmp_path):
    origin, reads = given()
    command = [sys.executable, "-c", KILLED, origin.path, str(tmp_path / "cache")]
    assert (
        subprocess.run(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}).returncode
        == -signal.SIGKILL
    )
    assert [name[0] for name in entries(tmp_path)] == ["."]
    assert len(encode(pair_task(), origin, tokenizer, "digest", tmp_path / "cache")) == 3
    assert len(reads) == 1


def test_a_writer_that_is_interrupted_cleans_up(given, encoded, tmp_path):
    origin, _ = given()

    def interrupted():
        yield next(origin.rows())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encoded(replace(origin, rows=interrupted))
    assert entries(tmp_path) == []


def test_of_two_writers_at_once_both_get_the_rows(given, encoded, tmp_path):
    origin, reads = given()

    def while_another_writes():
        encoded(origin)
        yield from origin.rows()

    assert encoded(replace(origin, rows=while_another_writes)).meta == encoded(origin).meta
    assert len(reads) == 2
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_a_damaged_entry_is_written_anew(given, encoded, tmp_path, damage):
    origin, reads = given()
    meta = encoded(origin).meta
    path = next((tmp_path / "cache").rglob("rows.arrow"))
    content = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(content[:-1])
    assert encoded(origin).meta == meta
    assert len(reads) == 2
    assert path.read_bytes() == content


def test_the_entry_does_not_need_the_source_again(given, encoded, tmp_path):
    origin, _ = given()
    first = encoded(origin)
    shutil.move(tmp_path / "train.jsonl", tmp_path / "gone.jsonl")
    assert len(encoded(replace(origin, fingerprint=lambda: first.meta.fingerprint))) == 3


def test_chosen_rows_are_those_rows():
    backbone = tiny_backbone()
    whole = encoded_of(backbone, [("a", "b"), ("cc", "d"), ("eee", "f"), ("g", "hh")], [0, np.nan, 1, 0])
    some = whole.chosen(np.array([1, 3]))
    for place, row in enumerate((1, 3)):
        for name in ("ids_T", "types_T"):
            one, other = (
                np.asarray(getattr(s, name)[s.offsets[i] : s.offsets[i + 1]]) for s, i in ((some, place), (whole, row))
            )
            assert one.tolist() == other.tolist()
    assert (len(some), some.meta.tokens, some.unlabelled, some.row_numbers.tolist()) == (
        2,
        len(some.ids_T),
        1,
        [1, 3],
    )
    assert len(whole.chosen(np.array([], np.int64))) == 0
