import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mtl_cli
from mtl_cli.config.paths import config_dir
from mtl_cli.config.registry import FAMILIES, resolve

MEMBERS = [(family, name) for family, names in FAMILIES.items() for name in names]
WITH_FILES = [
    family for family in FAMILIES if family not in ("input", "kind", "metric", "objective")
]  # those stand inside tasks


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_a_registered_name_leads_to_a_builder_with_a_docstring(family, name):
    builder = resolve(family, name)
    assert callable(builder)
    assert builder.__doc__


# Kinds and objectives stand inside a task, which users write from nothing: no YAML could hold their defaults.
@pytest.mark.parametrize(("family", "name"), [member for member in MEMBERS if member[0] not in ("kind", "objective")])
def test_defaults_of_options_stand_in_the_yaml_and_not_in_the_code(family, name):
    parameters = inspect.signature(resolve(family, name)).parameters.values()
    options = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    assert [p.name for p in options if p.default is not p.empty] == []


@pytest.mark.parametrize("family", WITH_FILES)
def test_every_member_of_a_family_has_a_yaml_and_every_yaml_a_member(family):
    found = [yaml.safe_load(path.read_text()) for path in (config_dir() / family).glob("*.yaml")]
    # A member that sets keys outside its own group stands below the group's name; one that builds on another YAML has its name.
    names = {(one if "name" in one else one[family]).get("name") for one in found} - {None}
    assert names == FAMILIES[family].keys()


def test_every_family_has_its_folder_of_yaml_files():
    assert {path.name for path in config_dir().iterdir() if path.is_dir()} == {*WITH_FILES, "task"}


def test_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError):
        resolve("schedule", "cosin")


def test_no_module_of_config_imports_torch_not_even_to_compose_convert_and_list():
    code = """
import importlib, pkgutil, sys
import mtl_cli.config
for module in pkgutil.iter_modules(mtl_cli.config.__path__, "mtl_cli.config."):
    importlib.import_module(module.name)
from mtl_cli.config.compose import compose
from mtl_cli.config.convert import convert_or_raise
from mtl_cli.config.schema import TrainConfig
from mtl_cli.config.listing import groups, listed
convert_or_raise(TrainConfig, compose("train", []).values)
assert all(listed(group, []) for group in groups([]))
print(sorted({"torch", "numpy", "transformers", "datasets", "lightning_fabric"} & sys.modules.keys()))
"""
    env = {**os.environ, "PYTHONPATH": str(Path(mtl_cli.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout == "[]\n"
