import os
from pathlib import Path

import pytest

import mtl_cli
from mtl_cli.config.paths import cache_dir, config_dir, outputs_dir, user_config_dirs


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("MTL_CONFIGS", "MTL_OUTPUTS", "MTL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A site-packages with the package in it and a stranger's `configs` beside it."""
    (tmp_path / "mtl_cli").mkdir()
    (tmp_path / "configs").mkdir()
    monkeypatch.setattr(mtl_cli, "__file__", str(tmp_path / "mtl_cli" / "__init__.py"))
    return tmp_path.resolve()


def test_the_shipped_configs_are_there():
    assert (config_dir() / "train.yaml").is_file()


def test_configs_inside_the_package_go_before_those_beside_it(installed):
    assert config_dir() == installed / "configs"
    (installed / "mtl_cli" / "configs").mkdir()
    assert config_dir() == installed / "mtl_cli" / "configs"


def test_no_folder_of_the_user_s_own_is_the_default():
    assert user_config_dirs(None) == []


def test_the_argument_goes_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MTL_CONFIGS", str(tmp_path / "env"))
    assert user_config_dirs(None) == [tmp_path / "env"]
    assert user_config_dirs(str(tmp_path / "arg")) == [tmp_path / "arg"]


def test_several_folders_are_split_as_the_system_does_and_empty_ones_left_out(tmp_path):
    text = os.pathsep.join([str(tmp_path / "a"), "", str(tmp_path / "b")])
    assert user_config_dirs(text) == [tmp_path / "a", tmp_path / "b"]


def test_folders_of_the_user_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_config_dirs(os.pathsep.join(["mine", "~/x"])) == [tmp_path / "mine", tmp_path / "home" / "x"]


def test_outputs_are_the_argument_else_the_environment_else_a_folder_here(monkeypatch):
    assert outputs_dir() == Path("outputs")
    monkeypatch.setenv("MTL_OUTPUTS", "env")
    assert outputs_dir() == Path("env")
    assert outputs_dir("arg") == Path("arg")


def test_the_cache_is_the_argument_else_the_environment_else_below_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "mtl"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "mtl"
    monkeypatch.setenv("MTL_CACHE", "~/env")
    assert cache_dir() == tmp_path / "env"
    assert cache_dir("arg") == Path("arg")
