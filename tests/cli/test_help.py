"""`mtl --help` is fast because it imports nothing heavy."""

import subprocess
import sys

import pytest


def modules_after(code):
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(shown.stdout.split())


def test_the_command_line_imports_nothing_heavy():
    heavy = {"torch", "transformers", "datasets", "hydra", "omegaconf", "numpy", "yaml", "rich"}
    assert not heavy & modules_after("import mtl_cli.cli.app")


def test_listing_imports_neither_torch_nor_hydra():
    code = "import sys; sys.argv = ['mtl', 'ls', 'metric']\ntry:\n import mtl_cli.cli.app as a; a.main()\nexcept SystemExit: pass\nprint()"
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    ).stdout
    assert "matthews" in shown
    assert not {"torch", "hydra"} & set(shown.split())


def test_composing_imports_no_torch():
    assert "torch" not in modules_after("from mtl_cli.config.compose import compose; compose('train', [])")


@pytest.mark.parametrize("command", ["train", "affinity", "eval", "zeroshot", "doctor", "check", "ls", "runs", "help"])
def test_help_names_every_command_and_each_has_its_own(mtl, command):
    assert f"  {command}" in mtl("--help").out
    assert mtl(command, "--help").code == 0


def test_the_version_is_printed(mtl):
    import mtl_cli

    assert mtl("--version").out.strip() == f"mtl {mtl_cli.__version__}"


def test_an_unknown_command_exits_with_2(mtl):
    result = mtl("trian")
    assert result.code == 2
    assert "trian" in result.err
