import hashlib

import pytest
import torch

from mtl_cli import hub
from mtl_cli.errors import ConfigError
from mtl_cli.model.backbone.pretrained import Package, load, pretrained
from tests.fakes import tiny_backbone


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    one = tiny_backbone()
    one.save(tmp_path / "model")
    return one, tmp_path / "model"


@pytest.fixture
def package(saved, tmp_path, monkeypatch):
    """A pip package with the saved model that must not be imported."""
    inside = tmp_path / "site" / "fake_model_package"
    inside.mkdir(parents=True)
    (inside / "__init__.py").write_text("raise RuntimeError('imported')")
    saved[1].rename(inside / "files")
    monkeypatch.syspath_prepend(tmp_path / "site")
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (inside / "files").iterdir()}
    return Package(module="fake_model_package", folder="files", sha256=digests), inside / "files"


def same(one, other):
    return all(
        torch.equal(a, b)
        for a, b in zip(one.encoder.state_dict().values(), other.encoder.state_dict().values(), strict=True)
    )


def test_a_folder_is_loaded_with_its_weights(saved):
    one, folder = saved
    found = pretrained(path=str(folder), pooling="max", package=None)
    assert same(one, found)
    assert (found.pooling, found.identity) == ("max", str(folder))


def test_a_pip_package_stands_in_for_a_hub_id_without_being_imported(saved, package):
    found = pretrained(path="org/model", pooling="mean", package=package[0])
    assert same(saved[0], found)
    assert found.identity == "org/model (pip package fake_model_package, files checked by hash)"


@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_package_whose_file_is_not_as_published_is_refused(package, how):
    file = package[1] / "model.safetensors"
    if how == "changed":
        file.write_bytes(file.read_bytes() + b"x")
    else:
        file.unlink()
    with pytest.raises(
        ConfigError, match=r"model.safetensors is not the published file: sha256 .* Reinstall the package"
    ):
        pretrained(path="org/model", pooling="mean", package=package[0])


def test_a_folder_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"backbone.path: there is no folder \./nowhere"):
        pretrained(path="./nowhere", pooling="mean", package=None)


def test_a_hub_that_does_not_answer_is_told_with_every_way_out(monkeypatch):
    monkeypatch.setattr(hub, "model_cached", lambda path: False)
    monkeypatch.setattr(hub, "answers", lambda seconds: False)
    absent = Package(module="no_such_package_anywhere", folder="f", sha256={})
    with pytest.raises(
        ConfigError,
        match=r"'org/model' is no folder here.*does not answer.*pip install no-such-package-anywhere.*backbone=tiny",
    ):
        pretrained(path="org/model", pooling="mean", package=absent)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"backbone.path: cannot load"):
        load(str(tmp_path), "mean", "x", "backbone.path")


def test_a_tokenizer_without_padding_is_refused(saved):
    one, folder = saved
    one.tokenizer.pad_token = None
    one.tokenizer.save_pretrained(folder)
    with pytest.raises(ConfigError, match="has no padding token"):
        load(str(folder), "mean", "x", "backbone.path")
