"""A set of rows on disk."""

import numpy as np
import pytest

from mtl_cli.data.store import StoreWriter, open_store
from mtl_cli.tasks.columns import ColumnSpec

SPECS = {"n": ColumnSpec("float32"), "tags": ColumnSpec("int16", ragged=True), "none": ColumnSpec("uint8", ragged=True)}


def write(folder, chunks, left_out=()):
    folder.mkdir(exist_ok=True)
    with StoreWriter(folder, SPECS) as store:
        for chunk in chunks:
            store.add(chunk)
        store.finish({"rows": 3}, left_out)


CHUNKS = [
    {"n": [0.5, np.nan], "tags": [[1, 2], []], "none": [[], []]},
    {"n": [2], "tags": [[-1, 0, 7]], "none": [[]]},
]


def test_rows_come_back_as_they_were_whatever_the_chunks(tmp_path):
    write(tmp_path / "a", CHUNKS)
    columns, meta = open_store(tmp_path / "a")
    assert meta == {"rows": 3}
    assert columns["n"].values.tolist()[::2] == [0.5, 2]
    assert np.isnan(columns["n"].values[1])
    assert [columns["tags"].row(i).tolist() for i in range(3)] == [[1, 2], [], [-1, 0, 7]]
    assert {name: one.values.dtype for name, one in columns.items()} == {n: np.dtype(s.dtype) for n, s in SPECS.items()}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["rows.arrow"]


def test_a_column_that_holds_nothing_may_be_left_out(tmp_path):
    write(tmp_path / "a", CHUNKS, ["none"])
    assert set(open_store(tmp_path / "a")[0]) == {"n", "tags"}


def test_numpy_sees_the_file_itself_and_cannot_write_to_it(tmp_path):
    import pyarrow as pa

    write(tmp_path / "a", [{"n": np.zeros(100_000), "tags": [[1]] * 100_000, "none": [[]] * 100_000}])
    before = pa.total_allocated_bytes()
    columns, _ = open_store(tmp_path / "a")
    assert pa.total_allocated_bytes() - before < 10_000
    assert not any(one.values.flags.writeable for one in columns.values() if one.values.size)


def test_datasets_reads_it(tmp_path):
    from datasets import Dataset

    write(tmp_path / "a", CHUNKS)
    found = Dataset.from_file(str(tmp_path / "a" / "rows.arrow"))
    assert found["tags"][:] == [[1, 2], [], [-1, 0, 7]]


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.9])
def test_a_file_that_is_cut_short_is_no_set(tmp_path, kept):
    write(tmp_path / "a", [{"n": np.zeros(5000), "tags": [[1]] * 5000, "none": [[]] * 5000}])
    path = tmp_path / "a" / "rows.arrow"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept) if isinstance(kept, float) else kept])
    assert open_store(tmp_path / "a") is None


@pytest.mark.parametrize("content", [b"", b"not arrow at all", b"\xff\xff\xff\xff\x00\x00\x00\x00"])
def test_a_file_of_something_else_is_no_set(tmp_path, content):
    (tmp_path / "rows.arrow").write_bytes(content)
    assert open_store(tmp_path) is None
    assert open_store(tmp_path / "nowhere") is None
