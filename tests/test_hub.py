"""Where the hub is, whether it answers, what its caches hold."""

import time

import pytest

from mtl_cli import hub
from tests.tasks.conftest import own_hub  # noqa: F401
from tests.tasks.fakes import free_port, server, talker


def test_the_endpoint_comes_from_the_environment_without_a_slash_at_its_end(monkeypatch):
    assert hub.endpoint() == "https://huggingface.co"
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror:8080/")
    assert hub.endpoint() == "http://mirror:8080"


@pytest.mark.parametrize("status", [200, 401, 404, 503])
def test_a_server_that_answers_is_there_whatever_it_says(monkeypatch, status):
    with server(status) as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert hub.answers(5.0)


def test_the_hub_is_asked_once_a_process(monkeypatch):
    with server(200) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert [hub.answers(5.0), hub.answers(5.0)] == [True, True]
    assert len(asked) == 1


@pytest.mark.parametrize("value", ["1", "true", "YES", "On"])
def test_offline_mode_asks_nobody(monkeypatch, value):
    with server(200) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("HF_HUB_OFFLINE", value)
        assert not hub.answers(5.0)
    assert asked == []


@pytest.mark.parametrize("address", ["not an address", "http://127.0.0.1:port", "http://"])
def test_a_wrong_address_does_not_answer(monkeypatch, address):
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert not hub.answers(1.0)


def test_a_closed_port_does_not_answer(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    assert not hub.answers(1.0)


def test_a_port_that_speaks_another_protocol_does_not_answer(monkeypatch):
    with talker(b"220 mail ready\r\n\r\n") as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert not hub.answers(5.0)


def test_a_silent_server_is_given_up_after_the_time_given(monkeypatch):
    with talker(None) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        start = time.monotonic()
        assert not hub.answers(0.2)
        assert time.monotonic() - start < 3


def put(path):
    path.parent.mkdir(parents=True)
    path.write_text("{}")


@pytest.mark.parametrize(
    ("hub_id", "subset", "folder"),
    [
        ("nyu-mll/glue", "rte", "nyu-mll___glue/rte"),
        ("imdb", None, "imdb/default"),
        ("stanfordnlp/imdb", None, "stanfordnlp___imdb/plain_text"),
        ("SetFit/enron_spam", None, "SetFit___enron_spam/default"),
        ("Own/MultiNLI", None, "Own___multi_nli/default"),
    ],
)
def test_a_data_set_is_found_in_the_cache_under_the_name_that_the_library_writes(tmp_path, hub_id, subset, folder):
    assert not hub.data_cached(hub_id, subset)
    put(tmp_path / "hf" / "datasets" / folder / "0.0.0" / "abc" / "dataset_info.json")
    assert hub.data_cached(hub_id, subset)


def test_the_cache_name_is_the_library_s_own(tmp_path):
    from datasets.naming import camelcase_to_snakecase

    for name in ("MRPC", "TREC-QC", "CoLA2", "multiNLI", "ag_news", "SQuADShifts"):
        put(
            tmp_path
            / "hf"
            / "datasets"
            / f"Own___{camelcase_to_snakecase(name)}"
            / "x"
            / "0.0.0"
            / "abc"
            / "dataset_info.json"
        )
        assert hub.data_cached(f"Own/{name}", "x"), name


def test_another_subset_or_an_unfinished_one_is_not_in_the_cache(tmp_path):
    put(tmp_path / "hf" / "datasets" / "nyu-mll___glue" / "rte" / "0.0.0" / "abc" / "dataset_info.json")
    (tmp_path / "hf" / "datasets" / "nyu-mll___glue" / "cola" / "0.0.0" / "abc").mkdir(parents=True)
    assert not hub.data_cached("nyu-mll/glue", "cola")
    assert not hub.data_cached("nyu-mll/glue", "mnli")


def test_a_model_is_in_the_cache_once_a_snapshot_holds_its_config(tmp_path):
    assert not hub.model_cached("bert-base-uncased")
    put(tmp_path / "hf" / "hub" / "models--google--bert" / "snapshots" / "abc" / "config.json")
    assert hub.model_cached("google/bert")
    assert not hub.model_cached("google/bert-large")


def test_the_caches_move_with_the_environment(tmp_path, monkeypatch):
    put(tmp_path / "xdg" / "huggingface" / "hub" / "models--a--b" / "snapshots" / "1" / "config.json")
    put(tmp_path / "own" / "c___d" / "default" / "0.0.0" / "1" / "dataset_info.json")
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "own"))
    assert hub.model_cached("a/b")
    assert hub.data_cached("c/d", None)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    assert not hub.model_cached("a/b")
