"""Which place a task's rows come from."""

import dataclasses
import hashlib
import json
from decimal import Decimal

import pytest

from mtl_cli import hub
from mtl_cli.assemble.tasks import bind_tasks
from mtl_cli.config.compose import compose
from mtl_cli.config.convert import convert_or_raise
from mtl_cli.config.schema import TrainConfig
from mtl_cli.errors import ConfigError, DataError
from mtl_cli.tasks.files import Options
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.source import BUNDLED_NOTE, Places, origins
from mtl_cli.tasks.task import Source, Task
from tests.tasks.fakes import Hub, free_port, server
from tests.tasks.kinds.columns import labels_of

SPLITS = {"train": ("train",), "validation": ("validation",), "test": ("test",)}


def task(**changes):
    source = {
        "hub": "nyu-mll/glue",
        "subset": "rte",
        "folder": "rte",
        "bundled": "rte",
        "files": {},
        "sets": SPLITS,
    } | changes
    kind = Classification(labels=["entailment", "not_entailment"])
    return Task("rte", kind, ("sentence1", "sentence2"), "label", ("accuracy",), Source(**source), 32)


def places(source="auto", root=None):
    return Places(source, root, 1.0)


def put(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def seen(found):
    return [(origin.place, origin.set_name) for origin in found]


@pytest.fixture
def no_hub(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def live_hub(monkeypatch):
    with server(200) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield asked


@pytest.fixture
def hub_data(monkeypatch):
    """A hub whose class names are in another order than the task's."""
    import datasets

    features = datasets.Features(
        sentence1=datasets.Value("string"),
        sentence2=datasets.Value("string"),
        label=datasets.ClassLabel(names=["not_entailment", "entailment"]),
    )
    rows = {"sentence1": ["a", "b", "c"], "sentence2": ["d", "e", "f"], "label": [0, 1, -1]}
    fake = Hub(train=datasets.Dataset.from_dict(rows, features))
    monkeypatch.setattr(datasets, "load_dataset", fake)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    return fake


def test_data_root_comes_before_all_else(tmp_path, live_hub):
    path = put(tmp_path / "rte" / "train.jsonl", {"a": 1})
    found = origins(task(), "train", places(root=tmp_path))
    assert seen(found) == [("local", "train")]
    assert found[0].path == str(path)
    assert live_hub == []


def test_the_hub_s_cache_comes_next_without_asking_the_hub(tmp_path, live_hub):
    put(tmp_path / "hf" / "datasets" / "nyu-mll___glue" / "rte" / "0.0.0" / "abc" / "dataset_info.json")
    (tmp_path / "empty").mkdir()
    found = origins(task(), "train", places(root=tmp_path / "empty"))
    assert seen(found) == [("hub", "train")]
    assert found[0].path == "nyu-mll/glue/rte"
    assert live_hub == []


def test_a_hub_that_answers_comes_before_the_bundled_sample(live_hub):
    assert seen(origins(task(), "train", places())) == [("hub", "train")]
    assert len(live_hub) == 1


def test_without_a_hub_the_bundled_sample_is_used_and_says_that_it_is_one(no_hub):
    (found,) = origins(task(), "validation", places())
    assert (found.place, found.note) == ("bundled", BUNDLED_NOTE)
    assert set(next(found.rows()).values) >= {"sentence1", "sentence2", "label"}


def test_only_the_bundled_sample_carries_a_note(tmp_path):
    put(tmp_path / "rte" / "train.jsonl", {"a": 1})
    assert [o.note for o in origins(task(), "train", places(root=tmp_path))] == [""]


@pytest.mark.parametrize(("source", "place"), [("hub", "hub"), ("bundled", "bundled"), ("local", "local")])
def test_a_place_that_is_named_is_the_only_one_looked_at(tmp_path, no_hub, source, place):
    put(tmp_path / "rte" / "train.jsonl", {"a": 1})
    assert seen(origins(task(), "train", places(source, tmp_path))) == [(place, "train")]


def test_the_user_s_own_files_are_used_whatever_else_there_is(tmp_path):
    mine = put(tmp_path / "mine.jsonl", {"a": 1}, {"a": 2})
    put(tmp_path / "rte" / "train.jsonl", {"a": 3})
    (found,) = origins(task(files={"train": str(mine)}), "train", places(root=tmp_path))
    assert (found.place, found.path, [r.values["a"] for r in found.rows()]) == ("file", str(mine), [1, 2])


def test_a_split_without_a_file_names_the_key_to_set(tmp_path):
    with pytest.raises(
        DataError, match=r"no validation file is given \(available: train\).*tasks\.rte\.source\.files\.validation=PATH"
    ):
        origins(task(files={"train": "x.csv"}), "validation", places())


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"task 'rte': there is no file nowhere/x\.csv"):
        origins(task(files={"train": "nowhere/x.csv"}), "train", places())


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet"])
def test_a_folder_may_hold_any_format(tmp_path, suffix):
    put(tmp_path / "rte" / f"train.{suffix}")
    assert origins(task(), "train", places("local", tmp_path))[0].path.endswith(f"train.{suffix}")


def test_the_fingerprint_of_a_file_is_that_of_its_content_at_that_moment(tmp_path):
    path = put(tmp_path / "rte" / "train.jsonl", {"a": 1})
    (found,) = origins(task(), "train", places("local", tmp_path))
    assert found.fingerprint() == hashlib.sha256(path.read_bytes()).hexdigest()
    put(path, {"a": 2})
    assert found.fingerprint() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_way_in_which_a_file_is_read_is_part_of_its_fingerprint(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text('a\tb\n"x ""y"""\t1\n')
    found = {
        quoting: origins(task(files={"train": str(path)}, options=Options(quoting=quoting)), "train", places())[0]
        for quoting in ("auto", "csv", "none")
    }
    prints = {quoting: origin.fingerprint() for quoting, origin in found.items()}
    assert prints["auto"] == prints["csv"] != prints["none"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert next(found["csv"].rows()).values["a"] == 'x "y"'
    assert next(found["none"].rows()).values["a"] == '"x ""y"""'


@pytest.mark.parametrize("suffix", ["json", "jsonl.gz", "csv.gz", "arrow"])
def test_a_folder_may_hold_packed_files_too(tmp_path, suffix):
    put(tmp_path / "rte" / f"train.{suffix}")
    assert origins(task(), "train", places("local", tmp_path))[0].path.endswith(f"train.{suffix}")


def test_a_folder_given_as_a_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"task 'rte': .* is a folder: name a file in it"):
        origins(task(files={"train": str(tmp_path)}), "train", places())


def test_when_no_place_has_the_rows_the_message_lists_where_was_looked(tmp_path, no_hub):
    with pytest.raises(DataError) as caught:
        origins(task(bundled=None), "train", places(root=tmp_path))
    lines = str(caught.value).split("\n")
    assert lines[0] == "task 'rte': no train rows found."
    assert lines[1].strip() == f"local: {tmp_path / 'rte'} has no train.jsonl (nor .csv, .tsv, .parquet)"
    assert lines[2].strip() == f"hub: {hub.endpoint()} did not answer within 1 s, and nyu-mll/glue is not in its cache"
    assert lines[3].strip().startswith("bundled: there is no sample of this task (available: cola, sst2")
    assert lines[4].strip() == "If you have these rows: data.root=DIR, where DIR holds rte/train.jsonl"
    assert len(lines) == 5


def test_a_task_without_a_hub_id_does_not_ask_the_hub(live_hub):
    assert seen(origins(task(hub=None), "train", places())) == [("bundled", "train")]
    assert live_hub == []


def test_the_bundled_sample_has_no_test_split(no_hub):
    with pytest.raises(DataError, match=r"no test rows found(.|\n)*bundled: the sample has no test split"):
        origins(task(), "test", places())


def test_local_data_needs_a_folder():
    with pytest.raises(ConfigError, match=r"data\.source=local needs data\.root=DIR"):
        origins(task(), "train", places("local"))


@pytest.mark.parametrize("source", ["auto", "local"])
def test_a_root_that_is_not_there_is_an_error_and_not_passed_over(tmp_path, source):
    with pytest.raises(ConfigError, match=r"data\.root: there is no folder .*none"):
        origins(task(), "train", places(source, tmp_path / "none"))


def test_class_ids_of_the_hub_are_read_by_the_hub_s_names(live_hub, hub_data):
    (found,) = origins(task(), "train", places())
    rows = list(found.rows())
    assert [row.values["label"] for row in rows] == ["not_entailment", "entailment", None]
    assert labels_of(task().kind, [row.values["label"] for row in rows]) == [1, 0, None]
    assert [row.where for row in rows[:2]] == ["nyu-mll/glue/rte[train]:1", "nyu-mll/glue/rte[train]:2"]


def named_file(path, names):
    """A file of `datasets` that names its classes: ids 0, 1 and -1, in the format of its suffix."""
    import datasets

    features = datasets.Features(
        sentence1=datasets.Value("string"), sentence2=datasets.Value("string"), label=datasets.ClassLabel(names=names)
    )
    rows = {"sentence1": ["a", "b", "c"], "sentence2": ["d", "e", "f"], "label": [0, 1, -1]}
    data = datasets.Dataset.from_dict(rows, features)
    if path.suffix == ".parquet":
        data.to_parquet(path)
    else:
        data.save_to_disk(path.with_suffix(""))
        next(path.with_suffix("").glob("*.arrow")).rename(path)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_file_that_names_its_classes_gives_the_labels_that_the_hub_gives(tmp_path, live_hub, hub_data, suffix):
    (of_hub,) = origins(task(), "train", places())
    path = named_file(tmp_path / f"own{suffix}", ["not_entailment", "entailment"])
    (local,) = origins(task(files={"train": str(path)}), "train", places())
    assert [[row.values["label"] for row in origin.rows()] for origin in (local, of_hub)] == [
        ["not_entailment", "entailment", None]
    ] * 2
    assert local.class_names() == of_hub.class_names() == ("not_entailment", "entailment")


@pytest.mark.parametrize(
    "ids",
    [[0.0, 1.0, None], ["0", "1", None], [Decimal(0), Decimal(1), None], [False, True, None], [0, 1, None]],
    ids=str,
)
def test_ids_are_read_by_the_file_s_names_however_their_column_is_stored(tmp_path, ids):
    import pyarrow
    import pyarrow.parquet

    feature = {"_type": "ClassLabel", "names": ["not_entailment", "entailment"]}
    info = json.dumps({"info": {"features": {"label": feature}}})
    table = pyarrow.table({"label": ids}).replace_schema_metadata({"huggingface": info})
    pyarrow.parquet.write_table(table, tmp_path / "own.parquet")
    (found,) = origins(task(files={"train": str(tmp_path / "own.parquet")}), "train", places())
    assert [row.values["label"] for row in found.rows()] == ["not_entailment", "entailment", None]


@pytest.mark.parametrize("column", ["meta.label", "several.0", "items.label.0"])
def test_the_classes_of_a_nested_column_have_the_names_that_the_data_gives(tmp_path, live_hub, monkeypatch, column):
    import datasets

    label = datasets.ClassLabel(names=["not_entailment", "entailment"])
    features = datasets.Features(
        meta={"label": label}, several=datasets.Sequence(label), items=datasets.Sequence({"label": label})
    )
    values = {"meta": [{"label": 1}], "several": [[1]], "items": [{"label": [1]}]}
    data = datasets.Dataset.from_dict(values, features)
    data.to_parquet(tmp_path / "own.parquet")
    monkeypatch.setattr(datasets, "load_dataset", Hub(train=data))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    for changes in ({"files": {"train": str(tmp_path / "own.parquet")}}, {}):
        (found,) = origins(dataclasses.replace(task(**changes), label=column), "train", places())
        assert [row.column(column, "x") for row in found.rows()] == ["entailment"]
        assert found.class_names() == ("not_entailment", "entailment")


def by_ids(**changes):
    kind = Classification(labels=["entailment", "not_entailment"], values="ids")
    return dataclasses.replace(task(**changes), kind=kind)


def test_class_names_that_are_not_the_task_s_are_refused_unless_the_task_reads_ids(tmp_path, live_hub, monkeypatch):
    import datasets

    path = named_file(tmp_path / "own.parquet", ["LABEL_0", "LABEL_1"])
    fake = Hub(train=datasets.Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache")))
    monkeypatch.setattr(datasets, "load_dataset", fake)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    for changes in ({"files": {"train": str(path)}}, {}):
        (found,) = origins(task(**changes), "train", places())
        with pytest.raises(DataError) as error:
            list(found.rows())
        for part in ("LABEL_0, LABEL_1", "entailment, not_entailment", "+tasks.rte.kind.values=ids", ":1: "):
            assert part in str(error.value)
        (found,) = origins(by_ids(**changes), "train", places())
        assert [row.values["label"] for row in found.rows()] == [0, 1, -1]


def test_labels_of_the_hub_that_are_no_classes_stay_as_they_are(live_hub, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets, "load_dataset", Hub(train=datasets.Dataset.from_dict({"label": [0.5, 3.0]})))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    (found,) = origins(task(), "train", places())
    assert [row.values["label"] for row in found.rows()] == [0.5, 3.0]


def test_a_hub_split_is_loaded_once_for_fingerprint_and_rows(live_hub, hub_data):
    (found,) = origins(task(), "train", places())
    assert hub_data.calls == []
    assert found.fingerprint() == hub_data.splits["train"]._fingerprint
    assert len(list(found.rows())) == 3
    assert hub_data.calls == [("nyu-mll/glue", "rte", "train")]


def test_what_the_hub_cannot_load_is_named_with_the_ways_out(live_hub, hub_data):
    (found,) = origins(task(), "test", places())
    with pytest.raises(DataError) as caught:
        next(found.rows())
    assert str(caught.value).split("\n") == [
        f"hub: cannot load nyu-mll/glue/rte, split test from {hub.endpoint()}: Unknown split \"test\". Should be one of ['train'].",
        "  Check the id and the network, or give data.root=DIR or data.source=bundled.",
    ]


@pytest.mark.parametrize(
    "error", [ConnectionError("no route"), FileNotFoundError("no route"), RuntimeError("no route")]
)
def test_errors_of_the_hub_s_client_are_errors_of_the_data(no_hub, monkeypatch, error):
    import datasets

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fail)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    with pytest.raises(DataError, match=r"hub: cannot load nyu-mll/glue/rte, split train from http://127.*: no route"):
        origins(task(), "train", places("hub"))[0].fingerprint()


@pytest.mark.parametrize(("fixture", "offline"), [("no_hub", True), ("live_hub", False)])
def test_the_hub_s_client_is_told_not_to_ask_a_hub_that_is_not_there(request, hub_data, fixture, offline):
    import datasets

    request.getfixturevalue(fixture)
    origins(task(), "train", places("hub"))[0].fingerprint()
    assert datasets.config.HF_HUB_OFFLINE is offline


def test_the_hub_may_have_other_splits_than_a_folder(tmp_path, live_hub):
    own = task(hub_sets=SPLITS | {"validation": ("test",)})
    assert seen(origins(own, "validation", places())) == [("hub", "test")]
    put(tmp_path / "rte" / "validation.jsonl", {"a": 1})
    assert seen(origins(own, "validation", places(root=tmp_path))) == [("local", "validation")]


def mnli():
    config = convert_or_raise(TrainConfig, compose("train", ["task=mnli"]).values)
    faults = []
    bound = bind_tasks(config.tasks, 128, faults)
    assert not faults
    return bound["mnli"].task


def test_mnli_has_two_validation_sets_on_the_hub(live_hub):
    assert seen(origins(mnli(), "validation", places())) == [
        ("hub", "validation_matched"),
        ("hub", "validation_mismatched"),
    ]
    assert seen(origins(mnli(), "train", places())) == [("hub", "train")]


def test_a_folder_must_hold_both_validation_sets_of_mnli(tmp_path, no_hub):
    put(tmp_path / "mnli" / "validation_matched.jsonl", {"a": 1})
    with pytest.raises(DataError, match=r"has no validation_matched\.jsonl and validation_mismatched\.jsonl"):
        origins(mnli(), "validation", places("local", tmp_path))
    put(tmp_path / "mnli" / "validation_mismatched.jsonl", {"a": 2})
    found = origins(mnli(), "validation", places("local", tmp_path))
    assert [(o.set_name, next(o.rows()).values["a"]) for o in found] == [
        ("validation_matched", 1),
        ("validation_mismatched", 2),
    ]
